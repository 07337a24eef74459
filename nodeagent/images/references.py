"""Names of images, and what follows from a name alone. Pure.

https://kubernetes.io/docs/concepts/containers/images/. The full form of a name is that of
`nodeagent.runtime.archive.normalise`; it is worked out here again, since that module brings tarfile and gzip.
"""

import re
from collections.abc import Iterable

_REFERENCE = re.compile(
    r"(?:(?:[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?(?::[0-9]+)?/"
    r"|\[[0-9a-fA-F:]+\](?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
DOCKER_HUB = "docker.io"
DOCKER_HUB_SERVER = "registry-1.docker.io"


def policy_of(image: str, written: str) -> str:
    """`imagePullPolicy`, or what Kubernetes takes when it is left out."""
    if written:
        return written
    name = image.rpartition("/")[2]
    return "Always" if "@" not in name and (":" not in name or name.endswith(":latest")) else "IfNotPresent"


def needs_pull(image: str, policy: str, present: bool) -> bool:
    """A digest never changes its meaning: what is here is what a registry would give, so none is asked."""
    return not present or (policy == "Always" and "@sha256:" not in image)


def fault_of(image: str) -> str:
    """Why this is no reference of an image; empty for one that is."""
    if _REFERENCE.fullmatch(image):
        return ""
    kind = "repository name must be lowercase" if _REFERENCE.fullmatch(image.lower()) else "invalid reference format"
    return f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {kind}'


def registry_of(image: str) -> str:
    """Host and port of the registry as images are named by it."""
    first, slash, _ = image.partition("/")
    return first if slash and _names_registry(first) and first != "index.docker.io" else DOCKER_HUB


def _names_registry(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost"


def server_of(image: str) -> str:
    """The host that is really asked for it."""
    registry = registry_of(image)
    return DOCKER_HUB_SERVER if registry == DOCKER_HUB else registry


def repository_of(image: str) -> str:
    """The full name without tag and digest: `docker.io/library/nginx`."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    registry = registry_of(name)
    first, slash, rest = name.partition("/")
    path = rest if slash and _names_registry(first) else name
    return f"{registry}/library/{path}" if registry == DOCKER_HUB and "/" not in path else f"{registry}/{path}"


def full(image: str) -> str:
    """As container runtimes write it: `docker.io/library/nginx:latest`. A digest takes the place of a tag."""
    name, at, digest = image.partition("@")
    if at:
        return f"{repository_of(name)}@{digest}"
    tag = name.rpartition("/")[2].partition(":")[2]
    return f"{repository_of(name)}:{tag or 'latest'}"


def names(images: Iterable[str]) -> frozenset[str]:
    """The full forms of those that are references at all."""
    return frozenset(full(image) for image in images if image and not fault_of(image))
