"""`wherry plan`: reads what the plan starts from, and prints it. I/O, thin."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from reconciler.plan import markdown, text
from reconciler.plan.forecast import DEFAULTS, Run, Settings, run, told
from reconciler.plan.nodefile import BadNodes, nodes
from reconciler.plan.outcome import Forecast
from reconciler.plan.reading import CannotPlan, everything, files_at, files_of, nodes_of, running
from schemas.meta import Object

BAD_USAGE = 2
MAX_NODES_BYTES = 64 * 1024 * 1024


def plan(arguments: argparse.Namespace) -> int:
    """The exit code: 0 no change, 10 changes, 1 faults of the folder, 2 where no plan can be made."""
    try:
        found = forecast_for(arguments.path, arguments.server, arguments.nodes, arguments.revision)
    except (CannotPlan, BadNodes) as error:
        print(f"wherry: {error}", file=sys.stderr)
        return BAD_USAGE
    print(printed(found, arguments.output))
    return found.exit_code


def printed(found: Forecast, output: str) -> str:
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    return markdown.say(found) if output == "markdown" else text.say(found)


def forecast_for(folder: Path, server: Path | None, nodes_file: Path | None, revision: str | None) -> Forecast:
    """Raises `CannotPlan` or `BadNodes`."""
    now = datetime.now(UTC)
    files = files_of(folder)
    before, settings = _base(server, nodes_file, now)
    if revision is not None:
        earlier: Run = run(nodes_of(before), files_at(folder, revision), now, settings)
        before, now = everything(earlier.after), earlier.now
    return told(run(before, files, now, settings))


def _base(server: Path | None, nodes_file: Path | None, now: datetime) -> tuple[Sequence[Object], Settings]:
    if server is not None:
        there = running(server)
        return there.objects, there.settings
    if nodes_file is None:
        return (), DEFAULTS
    try:
        with nodes_file.open("rb") as file:
            content = file.read(MAX_NODES_BYTES + 1)
    except OSError as error:
        raise CannotPlan(f"--nodes: {nodes_file}: {error.strerror}") from None
    return nodes(str(nodes_file), content, now), DEFAULTS
