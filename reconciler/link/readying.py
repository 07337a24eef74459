"""Which images a node is to have, or keep, apart from those that its pods use: pure.

To have: those of updated templates whose pods still run on it, so that no pod is stopped before its successor can
start; and those of objects that bear `wherry.dev/prepull: "true"`, on every node where a DaemonSet of their template
would have a pod. To keep: those of the revision before the present one, for a roll-back without a registry.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from reconciler.controllers.daemonpods import fitness
from reconciler.controllers.history import by_number, template_of
from reconciler.controllers.imagewait import images_of, images_of_spec
from reconciler.controllers.revision import number
from reconciler.controllers.statefulpods import ordinal, start
from reconciler.store.view import Event, View
from schemas.apps import (
    ControllerRevision,
    DaemonSet,
    DaemonSetSpec,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from schemas.batch import CronJob, Job
from schemas.core.config import ServiceAccount
from schemas.core.node import Node
from schemas.core.pod import Pod, PodTemplateSpec
from schemas.messages import WantedImage, config_key
from schemas.meta import LabelSelector, Object, Ref, controller_of

PREPULL = "wherry.dev/prepull"
"""Annotation, `"true"`: the images of this object's pods are to be on every node that may run them."""

Rolled = Deployment | StatefulSet | DaemonSet
Annotated = Deployment | StatefulSet | DaemonSet | Job | CronJob
KINDS = (Deployment, StatefulSet, DaemonSet, Job, CronJob)


class Prepull(msgspec.Struct, frozen=True):
    """An object that bears the annotation."""

    namespace: str
    template: PodTemplateSpec


class Readying(msgspec.Struct, frozen=True):
    """`secrets` are those that the images are pulled with."""

    images: dict[str, WantedImage]
    secrets: frozenset[Ref]


def prepulls(view: View) -> tuple[Prepull, ...]:
    """To be asked once for many nodes."""
    return tuple(
        Prepull(found.metadata.namespace, template)
        for kind in KINDS
        for found in view.list(kind)
        if asks(found) and (template := _template(found)) is not None and template.spec is not None
    )


def asks(found: Object) -> bool:
    return isinstance(found, Annotated) and found.metadata.annotations.get(PREPULL) == "true"


def readying(node: str, pods: Sequence[Pod], asked: Iterable[Prepull], view: View) -> Readying:
    """`pods` are those of the node."""
    images: dict[str, WantedImage] = {}
    secrets: set[Ref] = set()

    def want(names: Iterable[str], namespace: str, template: PodTemplateSpec) -> None:
        named = _secrets(namespace, template, view)
        secrets.update(named)
        keys = {config_key("Secret", one.namespace, one.name) for one in named}
        for name in sorted(names):
            before = images.get(name, WantedImage())
            images[name] = WantedImage(True, tuple(sorted({*before.secrets, *keys})))

    for owner, theirs in _owners(pods, view):
        template = owner.spec.template
        needed = images_of(template)
        lacking = {name for pod in theirs for name in needed - images_of_spec(pod.spec)}
        if lacking and not (isinstance(owner, Deployment) and owner.spec.paused):
            want(lacking, owner.metadata.namespace, template)
        for name in images_of(_previous(owner, view)):
            images.setdefault(name, WantedImage())
    stored = view.get(Node, "", node)
    for prepull in asked if stored is not None else ():
        if stored is not None and _may_run(prepull.template, stored):
            want(images_of(prepull.template), prepull.namespace, prepull.template)
    return Readying(dict(sorted(images.items())), frozenset(secrets))


def _template(found: Object) -> PodTemplateSpec | None:
    if isinstance(found, CronJob):
        spec = found.spec.job_template.spec
        return spec.template if spec is not None else None
    return found.spec.template if isinstance(found, Deployment | StatefulSet | DaemonSet | Job) else None


def _owners(pods: Sequence[Pod], view: View) -> Iterator[tuple[Rolled, list[Pod]]]:
    """What rolls pods of this node that are staying, with these."""
    found: dict[str, tuple[Rolled, list[Pod]]] = {}
    for pod in pods:
        if pod.metadata.deletion_timestamp is not None:
            continue
        owner = rolled(pod, view)
        if owner is not None and not (isinstance(owner, StatefulSet) and _is_held_back(owner, pod)):
            found.setdefault(owner.metadata.uid, (owner, []))[1].append(pod)
    return iter(found.values())


def rolled(pod: Object, view: View) -> Rolled | None:
    """What replaces this pod, or ReplicaSet, when its template changes."""
    reference = controller_of(pod)
    owner = view.by_uid(reference.uid) if reference is not None else None
    if isinstance(owner, ReplicaSet):
        return rolled(owner, view)
    return owner if isinstance(owner, Rolled) else None


def _is_held_back(owner: StatefulSet, pod: Pod) -> bool:
    """Below the partition no update comes."""
    rolling = owner.spec.update_strategy.rolling_update
    partition = (rolling.partition or 0) if rolling is not None else 0
    position = ordinal(owner, pod)
    return position is not None and position < start(owner) + partition


def _previous(owner: Rolled, view: View) -> PodTemplateSpec | None:
    """The template of the revision before the newest."""
    uid = owner.metadata.uid
    if isinstance(owner, Deployment):
        sets = view.owned_by(ReplicaSet, uid)
        if len(sets) < 2:
            return None
        return sorted(sets, key=lambda one: number(one.metadata.annotations))[-2].spec.template
    revisions = view.owned_by(ControllerRevision, uid)
    return template_of(by_number(revisions)[-2]) if len(revisions) > 1 else None


def _secrets(namespace: str, template: PodTemplateSpec, view: View) -> set[Ref]:
    """Those of the template, or of the ServiceAccount that its pods will run as."""
    spec = template.spec
    if spec is None:
        return set()
    named = spec.image_pull_secrets
    if not named:
        account = view.get(ServiceAccount, namespace, spec.service_account_name or spec.service_account or "default")
        named = account.image_pull_secrets if account is not None else ()
    return {Ref("Secret", namespace, one.name) for one in named if one.name}


def _may_run(template: PodTemplateSpec, node: Node) -> bool:
    return fitness(DaemonSet(spec=DaemonSetSpec(selector=LabelSelector(), template=template)))(node).runs


def concerned(event: Event, view: View) -> set[str]:
    """The nodes that may have to be told other images, for a change of what rolls pods."""
    owner = event.object
    if not isinstance(owner, Rolled) or _told_of(event.old) == _told_of(event.new):
        return set()
    uid = owner.metadata.uid
    owners = [one.metadata.uid for one in view.owned_by(ReplicaSet, uid)] if isinstance(owner, Deployment) else [uid]
    return {pod.spec.node_name for one in owners for pod in view.owned_by(Pod, one)} - {""}


def changes_prepulls(event: Event) -> bool:
    """Whether other images than before are to be on all nodes."""
    old, new = (one if one is not None and asks(one) else None for one in (event.old, event.new))
    return (_template(old) if old else None) != (_template(new) if new else None)


def _told_of(owner: Object | None) -> tuple[object, ...]:
    if not isinstance(owner, Rolled):
        return ()
    spec = owner.spec.template.spec
    secrets = spec.image_pull_secrets if spec is not None else ()
    return images_of(owner.spec.template), secrets, isinstance(owner, Deployment) and owner.spec.paused
