"""The command: looks, judges, and shows what was found. Exit code 1 where a fault keeps the machine from being one."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nodeagent.doctor.checks import findings
from nodeagent.doctor.findings import Finding, Verdict
from nodeagent.doctor.looking import CONFIG_TOML, look

CONFIG = Path("/etc/wherry/nodeagent.yaml")
EXAMPLES = """examples:
  nodeagent doctor
  sudo nodeagent doctor --config /etc/wherry/nodeagent.yaml
  nodeagent doctor --output json | jq '.[] | select(.verdict == "fault")'

exit codes: 0 the machine can be a node, 1 something keeps it from being one
"""
MARKS = {Verdict.OK: "ok", Verdict.WARNING: "WARN", Verdict.FAULT: "FAULT", Verdict.UNKNOWN: "?"}
COLOURS = {Verdict.OK: "32", Verdict.WARNING: "33", Verdict.FAULT: "31", Verdict.UNKNOWN: "36"}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="nodeagent doctor",
        description="Checks whether this machine can be a node, and tells for each fault the line that mends it. "
        "Changes nothing. What only root may look at is left out for others.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="(default: %(default)s)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--containerd-config", type=Path, default=CONFIG_TOML, help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    logging.disable()  # what fails is found and told here
    found = findings(asyncio.run(look(parsed.config, config_toml=parsed.containerd_config)))
    if parsed.output == "json":
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(shown(found, colour=colour), end="")
    return int(any(one.verdict is Verdict.FAULT for one in found))


def shown(found: Sequence[Finding], *, colour: bool = False) -> str:
    """A table, with each line that mends below its row."""
    marks = max(map(len, MARKS.values()))
    width = max(len(one.check) for one in found)
    lines = []
    for one in found:
        mark = f"{MARKS[one.verdict]:<{marks}}"
        if colour:
            mark = f"\x1b[{COLOURS[one.verdict]}m{mark}\x1b[0m"
        lines.append(f"{mark}  {one.check:<{width}}  {one.message}\n")
        if one.mend:
            lines.append(f"{'':<{marks}}  {'':<{width}}  -> {one.mend}\n")
    return "".join(lines) + f"\n{_summary(found)}\n"


def _summary(found: Sequence[Finding]) -> str:
    faults = sum(one.verdict is Verdict.FAULT for one in found)
    warnings = sum(one.verdict is Verdict.WARNING for one in found)
    if faults:
        return f"This machine cannot be a node yet: {faults} fault{'s' if faults > 1 else ''} to mend."
    if warnings:
        return f"This machine can be a node; {warnings} warning{'s' if warnings > 1 else ''}."
    return "This machine can be a node."
