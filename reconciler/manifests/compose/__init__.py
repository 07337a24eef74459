"""Compose projects as Kubernetes objects: `files` gathers, `services` reads, `objects` converts, `project` joins these.

Pure throughout: a project is a function of what its folder holds. What has no counterpart is named, in `keytable`.
"""

from reconciler.manifests.compose.paths import COMPOSE_FILES, OVERRIDE_FILES
from reconciler.manifests.compose.source import Listing, Read, nothing_listed
from reconciler.manifests.documents import FileState
from schemas.decode import FieldValidation

__all__ = ["COMPOSE_FILES", "OVERRIDE_FILES", "Listing", "Read", "load_project"]


def load_project(
    main: str, read: Read, files: Listing = nothing_listed, validation: FieldValidation = "Strict"
) -> FileState:
    """All that the project of the main file declares, and every fault of it."""
    # 20 modules, which a folder without a project does not need.
    from reconciler.manifests.compose.project import convert
    from reconciler.manifests.compose.source import Source

    return convert(main, Source(read, files), validation=validation).state
