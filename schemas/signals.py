"""The signals that a container may name to be stopped by, and their numbers on Linux (KEP-4960)."""

import signal

_ORDINARY = (
    "ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP "
    "TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ CLD"
)
_FROM_ABOVE, _FROM_BELOW = 14, 15
SUPPORTED = (
    *(f"SIG{name}" for name in _ORDINARY.split()),
    "SIGRTMIN",
    "SIGRTMAX",
    *(f"SIGRTMIN+{count}" for count in range(1, _FROM_BELOW + 1)),
    *(f"SIGRTMAX-{count}" for count in range(1, _FROM_ABOVE + 1)),
)
_FIRST, _LAST = 34, 64
"""Real-time signals, as the C library counts them and container runtimes do."""


def number(name: str) -> int:
    """Raises `ValueError` for a name that is not `SUPPORTED`."""
    if name not in SUPPORTED:
        raise ValueError(f"{name!r} is not the name of a signal, such as SIGUSR1")
    if name.startswith("SIGRTMIN"):
        return _FIRST + int(name[9:] or 0)
    if name.startswith("SIGRTMAX"):
        return _LAST - int(name[9:] or 0)
    return signal.Signals[name].value
