"""Compose projects as Kubernetes objects: `files` gathers, `services` reads, `objects` converts, `project` joins these.

Pure throughout: a project is a function of what its folder holds. What has no counterpart is named, in `keytable`.
"""

from reconciler.manifests.compose.paths import COMPOSE_FILES, OVERRIDE_FILES
from reconciler.manifests.compose.project import load_project
from reconciler.manifests.compose.source import Listing, Read

__all__ = ["COMPOSE_FILES", "OVERRIDE_FILES", "Listing", "Read", "load_project"]
