"""Names of Kubernetes objects from those of Compose.

Pure. The rule: lower case, every other character than letters, digits and `-` becomes `-`, and none stands at an end.
"""

import hashlib
import re

LONGEST = 63


def object_name(text: str) -> str:
    """The text as a DNS label; empty where nothing of it is left. What is too long ends in a digest of it."""
    name = re.sub(r"[^a-z0-9-]", "-", text.lower()).strip("-")
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{name[: LONGEST - 9].rstrip('-')}-{digest}"


def project_name(text: str) -> str:
    """The project's name, for labels and the front of names."""
    return object_name(text) or "compose"


def config_key(path: str) -> str:
    """A key of a ConfigMap for a file below a folder: slashes cannot be in one."""
    key = re.sub(r"[^-._A-Za-z0-9]", "_", path.replace("/", "__"))
    return f"_{key}" if key.startswith("..") or key == "." else key
