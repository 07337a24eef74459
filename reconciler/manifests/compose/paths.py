"""Paths as a Compose file writes them, made relative to the source's folder.

Pure. A path that leads out of the folder is none: what lies there is neither in git nor on a node.
"""

from posixpath import basename, dirname, join, normpath

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""Names of a project's main file; of several in a folder, the first one counts."""
OVERRIDE_FILES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What is merged over the main file beside it; of several, the first one counts."""


def folder_of(file: str) -> str:
    """The folder that a file is in; empty for the source's own."""
    return dirname(file)


def project_of(main: str) -> str:
    """The name that a project has by its folder."""
    return basename(dirname(main)) or "compose"


def within(base: str, path: str) -> str | None:
    """The path from the source's folder, or None where it is absolute or leads out. The folder itself is `.`."""
    if path.startswith(("/", "~")):
        return None
    found = normpath(join(base, path))
    return None if found == ".." or found.startswith("../") else found
