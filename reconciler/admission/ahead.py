"""What admission will say, for those who can wait: a controller makes what may come in, and tells why it is no more.

Pure.
"""

from collections.abc import Sequence
from typing import TypeVar

from reconciler.admission import AdmissionSettings, admission
from reconciler.store.changes import Refused
from reconciler.store.draft import Draft
from reconciler.store.view import View
from schemas.core.pod import Pod
from schemas.core.quota import LimitRange, ResourceQuota
from schemas.meta import Object, ref_of

AnyPod = TypeVar("AnyPod", bound=Pod)

_ADMIT = admission(AdmissionSettings())


def ahead(pods: Sequence[AnyPod], view: View) -> tuple[Sequence[AnyPod], str]:
    """The pods, in order, that are let in by now, and why the next is not; empty where all are."""
    if not pods or not _is_judged(pods[0], view):
        return pods, ""
    draft = Draft(view)
    for index, pod in enumerate(pods):
        try:
            draft.write(ref_of(pod), _ADMIT(pod, draft))
        except Refused as error:
            return pods[:index], str(error)
    return pods, ""


def _is_judged(pod: Pod, view: View) -> bool:
    """Whether anything stands in the way of pods of this namespace and template at all."""
    namespace, spec = pod.metadata.namespace, pod.spec
    names = spec.priority_class_name or spec.service_account_name or spec.priority is not None
    return bool(names or view.list(ResourceQuota, namespace) or view.list(LimitRange, namespace))


def refused(object_: Object, view: View) -> str:
    """Why one object of any kind is not let in by now; empty where it is."""
    try:
        _ADMIT(object_, view)
    except Refused as error:
        return str(error)
    return ""
