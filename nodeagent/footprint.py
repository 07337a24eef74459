"""What keeps the agent small: modules that its packages import and a node never uses, and memory that is free again.

A module that is put off is read when somebody asks for something in it, as if it had been there from the start.
"""

import ctypes
import importlib
import sys
from types import ModuleType

UNUSED = (
    "urllib.request",  # the MQTT client, for proxies of WebSockets; with http.client and the parsers of e-mail
    "google.protobuf.internal.python_message",  # messages in pure Python, where there is no compiled library for them
)


class _PutOff(ModuleType):
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # what the import system looks for
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def put_off() -> None:
    """Has an effect on what is not imported yet."""
    for name in UNUSED:
        if name not in sys.modules:
            package, _, child = name.rpartition(".")
            sys.modules[name] = module = _PutOff(name)
            setattr(importlib.import_module(package), child, module)


def give_back() -> None:
    """Memory that a start needed and that is free now. The C library gives back by itself only what lies at its end."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)
