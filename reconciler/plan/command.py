"""`wherry plan`: reads what the plan starts from, and prints it. I/O, thin."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from reconciler.plan import markdown, text
from reconciler.plan.forecast import DEFAULTS, run, told
from reconciler.plan.nodefile import BadNodes, nodes
from reconciler.plan.outcome import Forecast
from reconciler.plan.reading import CannotPlan, Running, everything, files_at, files_of, nodes_of, running
from schemas.decode import FieldValidation

BAD_USAGE = 2
MAX_NODES_BYTES = 64 * 1024 * 1024


def plan(arguments: argparse.Namespace) -> int:
    """The exit code: 0 no change, 10 changes, 1 faults of the folder, 2 where no plan can be made."""
    validation: FieldValidation | None = arguments.field_validation and arguments.field_validation.title()
    try:
        found = forecast_for(arguments.path, arguments.server, arguments.nodes, arguments.revision, validation)
    except (CannotPlan, BadNodes) as error:
        print(f"wherry: {error}", file=sys.stderr)
        return BAD_USAGE
    print(printed(found, arguments.output))
    return found.exit_code


def printed(found: Forecast, output: str) -> str:
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    return markdown.say(found) if output == "markdown" else text.say(found)


def forecast_for(
    folder: Path,
    server: Path | None,
    nodes_file: Path | None,
    revision: str | None,
    validation: FieldValidation | None = None,
) -> Forecast:
    """Without `validation` it is the reconciler's own. Raises `CannotPlan` or `BadNodes`."""
    now = datetime.now(UTC)
    base = _base(server, nodes_file, now)
    chosen = validation or base.validation
    files, before = files_of(folder, chosen), base.objects
    if revision is not None:
        earlier = run(nodes_of(before), files_at(folder, revision, chosen), now, base.settings)
        before, now = everything(earlier.after), earlier.now
    return told(run(before, files, now, base.settings))


def _base(server: Path | None, nodes_file: Path | None, now: datetime) -> Running:
    if server is not None:
        return running(server)
    if nodes_file is None:
        return Running((), DEFAULTS, "Strict")
    try:
        with nodes_file.open("rb") as file:
            content = file.read(MAX_NODES_BYTES + 1)
    except OSError as error:
        raise CannotPlan(f"--nodes: {nodes_file}: {error.strerror}") from None
    if len(content) > MAX_NODES_BYTES:
        raise CannotPlan(f"--nodes: {nodes_file} is larger than {MAX_NODES_BYTES} bytes; take out what is not needed")
    return Running(nodes(str(nodes_file), content, now), DEFAULTS, "Strict")
