"""What keeps the agent small."""

import importlib.metadata
import subprocess
import sys

from nodeagent import footprint
from schemas.version import VERSION

CHILD = """
import sys
from nodeagent import footprint
footprint.put_off()
import nodeagent.daemon
unwanted = {"aiohttp", "http.client", "email.message", "importlib.metadata", "zipfile", "google.protobuf.text_format",
    "jsonschema", "cryptography", "aiosqlite", "logging.handlers"}
print(*sorted(unwanted & set(sys.modules)))
import urllib.request
from google.protobuf.internal import python_message
print(urllib.request.Request("http://a/b").selector, callable(python_message.GeneratedProtocolMessageType))
print("http.client" in sys.modules)
footprint.give_back()
"""


def test_what_no_node_uses_is_not_read_before_somebody_asks_for_it() -> None:
    ended = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.splitlines() == ["", "/b True", "True"]


def test_what_is_there_already_is_left_as_it_is() -> None:
    import urllib.request

    footprint.put_off()
    assert sys.modules["urllib.request"] is urllib.request


def test_the_version_is_the_package_s() -> None:
    assert importlib.metadata.version("wherry") == VERSION
