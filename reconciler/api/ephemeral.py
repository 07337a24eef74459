"""The `ephemeralcontainers` subresource: containers for debugging, added to a pod that runs. None is ever taken away.

Pure. Follows https://kubernetes.io/docs/concepts/workloads/pods/ephemeral-containers/.
"""

from collections.abc import Iterator

from msgspec import structs

from schemas.core.container import EphemeralContainer
from schemas.core.pod import Pod
from schemas.faults import Fault
from schemas.meta import Object
from schemas.names import dns1123_label

EPHEMERAL = "ephemeralcontainers"

_AT = ("spec", "ephemeralContainers")
_NOT_ALLOWED = (
    ("lifecycle", "lifecycle"),
    ("liveness_probe", "livenessProbe"),
    ("ports", "ports"),
    ("readiness_probe", "readinessProbe"),
    ("resize_policy", "resizePolicy"),
    ("restart_policy", "restartPolicy"),
    ("restart_policy_rules", "restartPolicyRules"),
    ("startup_probe", "startupProbe"),
)


def with_ephemeral(present: Object, given: Object) -> Object:
    """The pod with the ephemeral containers of the one that is given, and nothing else of it."""
    assert isinstance(present, Pod)  # no other kind has the subresource
    assert isinstance(given, Pod)
    spec = structs.replace(present.spec, ephemeral_containers=given.spec.ephemeral_containers)
    return structs.replace(present, spec=spec)


def faults(new: Object, old: Object) -> Iterator[Fault]:
    """What is wrong with the containers that came, and with the loss or change of those that were there."""
    assert isinstance(new, Pod)
    assert isinstance(old, Pod)
    names = {one.name for one in (*new.spec.containers, *new.spec.init_containers)}
    for index, container in enumerate(new.spec.ephemeral_containers):
        at = (*_AT, index)
        if container.name in names:
            yield Fault((*at, "name"), f'Duplicate value: "{container.name}"')
        names.add(container.name)
        yield from _container(container, at, new)
    present = {one.name: one for one in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in present:
            text = f'existing ephemeral containers "{container.name}" may not be removed'
            yield Fault(_AT, f"Forbidden: {text}")
        elif present[container.name] != container:
            text = f'existing ephemeral containers "{container.name}" may not be changed'
            yield Fault(_AT, f"Forbidden: {text}")


def _container(container: EphemeralContainer, at: tuple[str | int, ...], pod: Pod) -> Iterator[Fault]:
    if not container.name:
        yield Fault((*at, "name"), "Required value")
    for complaint in dns1123_label(container.name) if container.name else ():
        yield Fault((*at, "name"), f'Invalid value: "{container.name}": {complaint}')
    if not container.image:
        yield Fault((*at, "image"), "Required value")
    for attribute, field in _NOT_ALLOWED:
        if getattr(container, attribute, None):
            yield Fault((*at, field), "Forbidden: cannot be set for an Ephemeral Container")
    if container.resources.limits or container.resources.requests:
        yield Fault((*at, "resources"), "Forbidden: cannot be set for an Ephemeral Container")
    target = container.target_container_name
    if target and target not in {one.name for one in (*pod.spec.containers, *pod.spec.init_containers)}:
        yield Fault((*at, "targetContainerName"), f'Not found: "{target}"')
    volumes = {volume.name for volume in pod.spec.volumes}
    for index, mount in enumerate(container.volume_mounts):
        where = (*at, "volumeMounts", index)
        if mount.name not in volumes:
            yield Fault((*where, "name"), f'Not found: "{mount.name}"')
        if mount.sub_path:
            yield Fault((*where, "subPath"), "Forbidden: cannot be set for an Ephemeral Container")
        if mount.sub_path_expr:
            yield Fault((*where, "subPathExpr"), "Forbidden: cannot be set for an Ephemeral Container")
