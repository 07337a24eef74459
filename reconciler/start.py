"""Entry point of `reconciler`: reads the command line, then loads the rest."""

import argparse
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.daemon import log_to

CERTIFICATES = "SSL_CERT_FILE"
"""OpenSSL reads the certificates to trust from the file that this variable names."""


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
    with loading():
        from reconciler import daemon

    try:
        daemon.run(arguments.config)
    except daemon.FAILURES as error:
        print(f"reconciler: {error}", file=sys.stderr)
        sys.exit(1)


@contextmanager
def loading() -> Iterator[None]:
    """For imports of the whole reconciler: leaves out what would take half of their time.

    The garbage collector rests until `upkeep.settle_memory`: what a start loads stays. And aiohttp's client, which
    nobody here uses, does not get the system's certificates to read.
    """
    gc.disable()
    before = os.environ.get(CERTIFICATES)
    os.environ[CERTIFICATES] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[CERTIFICATES]
        else:
            os.environ[CERTIFICATES] = before


if __name__ == "__main__":
    main()
