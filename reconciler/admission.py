"""Admission: what an object is completed with before it is stored.

Pure: (object, view) → object. Defaults are those of the API server; the tolerations are those of its plugin
DefaultTolerationSeconds, with a shorter time: a fleet whose nodes tell that they are gone need not wait five minutes.
"""

from collections.abc import Callable
from typing import TypeVar

from msgspec import structs

from reconciler.store.view import View
from reconciler.taints import NOT_READY, UNREACHABLE
from schemas.core.affinity import Toleration
from schemas.core.pod import Pod
from schemas.defaults import defaulted
from schemas.meta import Object, Record

AnyObject = TypeVar("AnyObject", bound=Object)


class AdmissionSettings(Record, frozen=True):
    """What a reconciler's configuration may say of admission."""

    default_toleration_seconds: int = 30
    """For how long a pod stays bound to a node that is away, unless it says so itself."""


def admission(settings: AdmissionSettings) -> Callable[[Object, View], Object]:
    """The function that every object passes on its way into the store."""

    def admit(object_: Object, view: View) -> Object:
        completed = defaulted(object_)
        if isinstance(completed, Pod):
            return _tolerating(completed, settings.default_toleration_seconds)
        return completed

    return admit


def _tolerating(pod: Pod, seconds: int) -> Pod:
    """The pod with tolerations for nodes that are away, where it has none of its own."""
    missing = tuple(
        Toleration(effect="NoExecute", key=key, operator="Exists", toleration_seconds=seconds)
        for key in (NOT_READY, UNREACHABLE)
        if not any(one.key in ("", key) and one.effect in ("", "NoExecute") for one in pod.spec.tolerations)
    )
    if not missing:
        return pod
    return structs.replace(pod, spec=structs.replace(pod.spec, tolerations=(*pod.spec.tolerations, *missing)))
