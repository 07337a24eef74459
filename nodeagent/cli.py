"""`nodeagent`: the command that a node runs."""

import argparse
import asyncio
import sys
from pathlib import Path

from schemas.configuration import BadConfiguration
from schemas.daemon import AlreadyRunning, log_to

EXAMPLES = """examples:
  nodeagent --config /etc/wherry/nodeagent.yaml
  nodeagent cleanup --config /etc/wherry/nodeagent.yaml
"""


def main() -> None:
    """Entry point of `nodeagent`."""
    parser = argparse.ArgumentParser(
        prog="nodeagent",
        description="Runs the pods assigned to this node, with or without a link. "
        "`cleanup` removes all that it made on the node; `simulate` plays several nodes.",
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


async def _run(what: str, path: Path) -> None:
    if what == "simulate":
        from nodeagent import simulation  # no node runs this

        await simulation.serve(path)
        return
    from nodeagent import daemon

    await (daemon.cleanup(path) if what == "cleanup" else daemon.serve(path))
