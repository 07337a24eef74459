"""Entry point of `reconciler`: reads the command line, then loads the rest."""

import argparse
import gc
import sys
from pathlib import Path

from schemas.daemon import log_to


def main() -> None:
    """Ends with 1 where the configuration, the store or the system does not let it run."""
    parser = argparse.ArgumentParser(
        prog="reconciler",
        description="The brain of a Wherry cluster.",
        epilog="example:\n  reconciler --config /etc/wherry/reconciler.yaml",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    log_to(None, as_json=arguments.log_format == "json")
    gc.disable()  # until `upkeep.settle_memory`: what a start loads stays, and would be looked through again and again
    from reconciler import daemon

    try:
        daemon.run(arguments.config)
    except daemon.FAILURES as error:
        print(f"reconciler: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
