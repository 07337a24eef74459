"""History of StatefulSets and DaemonSets: each template that they have had, as a ControllerRevision.

A template that comes back takes up its old revision, which gets the next number; so the highest number is always
that of the present template. What a revision holds is the patch that Kubernetes writes, by which
`kubectl rollout undo` brings the template back
(https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/#understanding-daemonset-revisions).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import structs

from reconciler.controllers.ownership import claim, controller_reference
from reconciler.controllers.revision import template_hash
from reconciler.store.changes import Change, Create, Delete, Update
from reconciler.store.view import View
from schemas.apps import ControllerRevision, DaemonSet, StatefulSet
from schemas.core.pod import PodTemplateSpec
from schemas.defaults.pod import template_spec
from schemas.meta import ObjectMeta, ref_of

POD_LABEL = "controller-revision-hash"
"""On a pod: the revision that it is of."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LATEST = datetime.max.replace(tzinfo=UTC)

Rolled = StatefulSet | DaemonSet


class History(msgspec.Struct, frozen=True):
    """The revisions of an owner by number, as they are after `changes`. The last is that of the present template."""

    revisions: tuple[ControllerRevision, ...]
    changes: tuple[Change, ...]
    collisions: int | None

    @property
    def present(self) -> ControllerRevision:
        return self.revisions[-1]

    def named(self, name: str) -> ControllerRevision | None:
        return next((one for one in self.revisions if one.metadata.name == name), None)


def history(owner: Rolled, label: str, view: View) -> History:
    """The history with the present template in it. `label` bears the hash on a revision."""
    claimed = claim(owner, owner.spec.selector, ControllerRevision, view)
    known, collisions = by_number(claimed.owned), owner.status.collision_count
    equal = [one for one in known if _is_of(one, owner.spec.template)]
    number = known[-1].revision + 1 if known else 1
    if equal and equal[-1] is known[-1]:
        return History(tuple(known), claimed.changes, collisions)
    if equal:
        renewed = structs.replace(equal[-1], revision=number)
        others = [one for one in known if one is not equal[-1]]
        return History((*others, renewed), (*claimed.changes, Update(renewed)), collisions)
    made = _new(owner, label, template_hash(owner.spec.template, collisions), number)
    while view.find(ref_of(made)) is not None:
        collisions = (collisions or 0) + 1
        made = _new(owner, label, template_hash(owner.spec.template, collisions), number)
    return History((*known, made), (*claimed.changes, Create(made)), collisions)


def by_number(revisions: Iterable[ControllerRevision]) -> list[ControllerRevision]:
    return sorted(
        revisions, key=lambda one: (one.revision, one.metadata.creation_timestamp or _LATEST, one.metadata.name)
    )


def _new(owner: Rolled, label: str, hash_: str, number: int) -> ControllerRevision:
    metadata = ObjectMeta(
        name=f"{owner.metadata.name[: 253 - len(hash_) - 1]}-{hash_}",
        namespace=owner.metadata.namespace,
        labels={**owner.spec.template.metadata.labels, label: hash_},
        annotations={key: value for key, value in owner.metadata.annotations.items() if key != _LAST_APPLIED},
        owner_references=(controller_reference(owner),),
    )
    return ControllerRevision(metadata=metadata, revision=number, data=_patch(owner.spec.template))


def _patch(template: PodTemplateSpec) -> dict[str, Any]:
    """In the order in which it is compared by kubectl, and as it will be read from the store."""
    written = msgspec.json.decode(msgspec.json.encode(template, order="sorted"))
    return {"spec": {"template": {"$patch": "replace", **written}}}


def template_of(revision: ControllerRevision) -> PodTemplateSpec | None:
    """The template that the revision holds, None where somebody has put something else there."""
    try:
        written = dict((revision.data or {})["spec"]["template"])
        written.pop("$patch", None)
        return msgspec.convert(written, PodTemplateSpec)
    except (KeyError, TypeError, ValueError, msgspec.ValidationError):
        return None


def _is_of(revision: ControllerRevision, template: PodTemplateSpec) -> bool:
    """Also where only defaults differ: one that is new must not start a rollout."""
    found = template_of(revision)
    return found is not None and (found == template or _complete(found) == _complete(template))


def _complete(template: PodTemplateSpec) -> PodTemplateSpec:
    return template if template.spec is None else structs.replace(template, spec=template_spec(template.spec))


def forgotten(revisions: Sequence[ControllerRevision], kept: int) -> list[Change]:
    """Deletes the oldest of these but for as many as are kept."""
    doomed = revisions[: max(0, len(revisions) - kept)]
    return [Delete(ref_of(one), uid=one.metadata.uid) for one in doomed if one.metadata.uid]
