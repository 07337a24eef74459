"""`wherry kubeconfig`: a kubeconfig with a client certificate, for a person who is given less than everything."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from reconciler.box import Box
from schemas.configuration import BadConfiguration

DAYS = 365
MOST_DAYS = 3650
_MASTERS = "system:masters"
_MOST_CHARACTERS = 64
"""Of a name in a certificate (RFC 5280)."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes beside `--data`."""
    parser.add_argument("--user", required=True, type=_name, help="who it is for")
    parser.add_argument("--group", action="append", default=[], type=_name, metavar="NAME", help="may be given again")
    parser.add_argument(
        "--server", metavar="URL", help="where that person reaches the API (default: as seen from here)"
    )
    parser.add_argument("--days", type=_days, default=DAYS, help=f"how long it holds (default: {DAYS})")
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="only its owner may read it (default: print it)"
    )


def run(given: argparse.Namespace) -> int:
    """Raises `BadConfiguration`."""
    # What reads and writes kubeconfigs is needed by this command alone.
    from reconciler.api import certificate, kubeconfig, secretfile

    pki, admin = _places(given.data.absolute())
    if not (pki / "ca.pem").exists():
        raise BadConfiguration(f"{pki}/ca.pem: there is no authority yet; start Wherry with this data directory once")
    try:
        access = kubeconfig.read(admin)
        made = certificate.issue(pki, given.user, given.group, given.days, datetime.now(UTC))
    except (kubeconfig.BadKubeconfig, certificate.CannotCertify) as error:
        raise BadConfiguration(str(error)) from error
    server = given.server or access.server
    shown = kubeconfig.Access(server, access.authority, "", access.namespace)
    text = kubeconfig.text(shown, given.user, kubeconfig.client_credentials(made))
    if given.output is None:
        sys.stdout.buffer.write(text)
    else:
        secretfile.replace(given.output, text)
    if _MASTERS in given.group:
        print(f"wherry: {_MASTERS} may do everything, whatever the roles say", file=sys.stderr)
    return 0


def _places(directory: Path) -> tuple[Path, Path]:
    """Where keys and the administrator's kubeconfig lie: of `wherry up`, or of the daemon `reconciler`."""
    box = Box(directory)
    if (directory / "reconciler" / "pki").exists():
        return directory / "reconciler" / "pki", box.kubeconfig
    return directory / "pki", directory / "kubeconfig"


def _name(text: str) -> str:
    if not 0 < len(text) <= _MOST_CHARACTERS or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected 1 to {_MOST_CHARACTERS} characters, found {text!r}")
    return text


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"expected a number of days from 1 to {MOST_DAYS}, found {text!r}")
    return int(text)
