"""PodSecurity: what the labels `pod-security.kubernetes.io/…` of a namespace allow its pods.

Pure. `enforce` refuses pods, `warn` tells whoever makes a pod, or a workload with a template of pods. The checks are
those of https://kubernetes.io/docs/concepts/security/pod-security-standards/ in their newest form, and speak its words.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.admission.podsecuritychecks import BASELINE, OVERRIDDEN, RESTRICTED, Check, Subject
from reconciler.store.view import View
from schemas.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.batch import CronJob, Job
from schemas.core.config import Namespace
from schemas.core.pod import Pod, PodTemplateSpec
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.meta import Object
from schemas.validation.config import POD_SECURITY


class Level(NamedTuple):
    name: str
    version: str


def check(object_: Object, view: View) -> str:
    """Why a pod may not come in."""
    if not isinstance(object_, Pod):
        return ""
    return _complaint("violates", _level(object_, view, "enforce"), Subject(object_.metadata, object_.spec))


def warnings(object_: Object, view: View) -> tuple[str, ...]:
    """What is said to whoever makes the object, and holds nothing up."""
    template = _template(object_)
    spec = object_.spec if isinstance(object_, Pod) else template.spec if template else None
    if spec is None:
        return ()
    metadata = template.metadata if template else object_.metadata
    said = _complaint("would violate", _level(object_, view, "warn"), Subject(metadata, spec))
    return (said,) if said else ()


def _template(object_: Object) -> PodTemplateSpec | None:
    match object_:
        case Deployment() | ReplicaSet() | ReplicationController() | StatefulSet() | DaemonSet() | Job():
            return object_.spec.template
        case CronJob():
            return object_.spec.job_template.spec.template if object_.spec.job_template.spec else None
        case PodTemplate():
            return object_.template
    return None


def _level(object_: Object, view: View, mode: str) -> Level:
    namespace = view.get(Namespace, "", object_.metadata.namespace)
    labels: Mapping[str, str] = namespace.metadata.labels if namespace is not None else {}
    return Level(labels.get(POD_SECURITY + mode, ""), labels.get(f"{POD_SECURITY}{mode}-version", "latest"))


def _complaint(what: str, level: Level, subject: Subject) -> str:
    found = ", ".join(f"{reason} ({detail})" for reason, detail in _violations(level.name, subject))
    return f'{what} PodSecurity "{level.name}:{level.version}": {found}' if found else ""


def _violations(level: str, subject: Subject) -> Iterator[tuple[str, str]]:
    for reason, check_ in _checks(level):
        if detail := "; ".join(check_(subject)):
            yield reason, detail


def _checks(level: str) -> Iterable[tuple[str, Check]]:
    """By level, and in it in the order in which Kubernetes tells of them."""
    base: Sequence[tuple[str, Check]] = tuple(BASELINE.items())
    if level == "baseline":
        return base
    if level == "restricted":
        return (*(one for one in base if one[1] not in OVERRIDDEN), *RESTRICTED.items())
    return ()
