"""Whether the machine's clock is kept right, as the kernel knows: whoever sets it by a server tells it so.

`adjtimex(2)`, the one call that NTP daemons of all makes keep up to date; reading it needs no right.
"""

import ctypes

_UNSYNCHRONISED = 0x40
_ERROR = 5


class _Timex(ctypes.Structure):
    """The first fields; the rest is room enough for the kernel to write into on every architecture."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    ]


def is_synchronised() -> bool | None:
    """None where the kernel does not tell."""
    timex = _Timex()
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    return state != _ERROR and not timex.status & _UNSYNCHRONISED
