"""What a check has found: how it is, and the line that mends it. Values only."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Pods run, but something will be missed."""
    FAULT = "fault"
    """No pod can run, or none is ever assigned."""
    UNKNOWN = "unknown"
    """It could not be looked at, for want of rights."""


class Finding(msgspec.Struct, frozen=True):
    """`mend`: what to type, or what to write where; empty where nothing is wrong."""

    check: str
    verdict: Verdict
    message: str
    mend: str = ""


def ok(check: str, message: str) -> Finding:
    return Finding(check, Verdict.OK, message)


def warning(check: str, message: str, mend: str) -> Finding:
    return Finding(check, Verdict.WARNING, message, mend)


def fault(check: str, message: str, mend: str) -> Finding:
    return Finding(check, Verdict.FAULT, message, mend)


def unknown(check: str, message: str) -> Finding:
    return Finding(check, Verdict.UNKNOWN, message, f"sudo nodeagent doctor    # {message}")
