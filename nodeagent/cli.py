"""`nodeagent`: the command that a node runs."""

import argparse
import asyncio
import sys
from pathlib import Path

from nodeagent import footprint
from schemas.configuration import BadConfiguration
from schemas.daemon import AlreadyRunning, log_to

EXAMPLES = """examples:
  nodeagent --config /etc/wherry/nodeagent.yaml
  nodeagent doctor
  nodeagent status
  nodeagent pods
  nodeagent logs -f web
  nodeagent exec -it web -- sh
  nodeagent cleanup --config /etc/wherry/nodeagent.yaml

`nodeagent COMMAND --help` tells more of doctor, status, pods, logs, exec and metrics.
"""


LOCAL = ("doctor", "status", "pods", "logs", "exec", "metrics")
"""Commands that a person types on the node."""


def main() -> None:
    """Entry point of `nodeagent`."""
    if len(sys.argv) > 1 and sys.argv[1] in LOCAL:
        sys.exit(_local(sys.argv[1:]))
    parser = argparse.ArgumentParser(
        prog="nodeagent",
        description="Runs the pods assigned to this node, with or without a link. "
        "`doctor` checks the machine; `status`, `pods`, `logs`, `exec` and `metrics` show the node from itself; "
        "`cleanup` removes all that the agent made on it; `simulate` plays several nodes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="?", choices=("run", "cleanup", "simulate"), default="run")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--log-file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    log_to(arguments.log_file, as_json=arguments.log_format == "json")
    try:
        asyncio.run(_run(arguments.what, arguments.config))
    except (BadConfiguration, AlreadyRunning, OSError) as error:
        print(f"nodeagent: {error}", file=sys.stderr)
        sys.exit(1)


def _local(arguments: list[str]) -> int:
    # What a daemon never needs.
    if arguments[0] == "doctor":
        from nodeagent.doctor.command import main as doctor

        return doctor(arguments[1:])
    from nodeagent.local.commands import main as local

    return local(arguments)


async def _run(what: str, path: Path) -> None:
    footprint.put_off()
    if what == "simulate":
        from nodeagent import simulation  # no node runs this

        await simulation.serve(path)
        return
    from nodeagent import daemon

    await (daemon.cleanup(path) if what == "cleanup" else daemon.serve(path))
