"""The signals that a container may name to be stopped by, and their numbers on Linux (KEP-4960, `signal(7)`)."""

_IN_ORDER = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
"""From 1 on, as on all machines that agents run on."""
_NUMBERS = {f"SIG{name}": number for number, name in enumerate(_IN_ORDER.split(), 1)}
_NUMBERS |= {"SIGIOT": _NUMBERS["SIGABRT"], "SIGCLD": _NUMBERS["SIGCHLD"], "SIGPOLL": _NUMBERS["SIGIO"]}
_FIRST, _LAST = 34, 64
"""Real-time signals, as the C library counts them and container runtimes do."""
_NUMBERS |= {f"SIGRTMIN+{count}" if count else "SIGRTMIN": _FIRST + count for count in range(16)}
_NUMBERS |= {f"SIGRTMAX-{count}" if count else "SIGRTMAX": _LAST - count for count in range(15)}
SUPPORTED = tuple(_NUMBERS)


def number(name: str) -> int:
    """Raises `ValueError` for a name that is not `SUPPORTED`."""
    if name not in _NUMBERS:
        raise ValueError(f"{name!r} is not the name of a signal, such as SIGUSR1")
    return _NUMBERS[name]
