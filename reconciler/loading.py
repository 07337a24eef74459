"""How the reconciler's modules are loaded: without what would take a good part of the time and is of no use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

CERTIFICATES = "SSL_CERT_FILE"
"""OpenSSL reads the certificates to trust from the file that this variable names."""


@contextmanager
def without_certificates() -> Iterator[None]:
    """For the import of aiohttp: its client asks nobody outside, and need not read the system's certificates."""
    before = os.environ.get(CERTIFICATES)
    os.environ[CERTIFICATES] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ[CERTIFICATES]
        else:
            os.environ[CERTIFICATES] = before
