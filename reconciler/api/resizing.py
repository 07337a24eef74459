"""The `resize` subresource: other resources for containers that run. No node here can do that, and so it is refused.

Pure. Follows https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/.
"""

from collections.abc import Iterator

from msgspec import structs

from schemas.core.pod import Pod
from schemas.faults import Fault
from schemas.meta import Object
from schemas.qos import qos_class
from schemas.validation.report import forbidden, invalid

RESIZE = "resize"
_SPEC = ("spec",)


def with_resources(present: Object, given: Object) -> Object:
    """The pod with the resources of the one that is given, and nothing else of it."""
    assert isinstance(present, Pod)  # no other kind has the subresource
    assert isinstance(given, Pod)
    wanted = {one.name: one.resources for one in given.spec.containers}
    containers = tuple(
        structs.replace(one, resources=wanted.get(one.name, one.resources)) for one in present.spec.containers
    )
    return structs.replace(present, spec=structs.replace(present.spec, containers=containers))


def faults(new: Object, old: Object) -> Iterator[Fault]:
    """Why it cannot be; nothing where nothing is asked for."""
    assert isinstance(new, Pod)
    assert isinstance(old, Pod)
    if new.spec == old.spec:
        return
    if qos_class(new) != old.status.qos_class:
        yield invalid(_SPEC, old.status.qos_class, "Pod QOS Class may not change as a result of resizing")
    yield forbidden(_SPEC, "Pod running on node without support for resize")
