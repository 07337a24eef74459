"""Revisions of a Deployment: which ReplicaSet is of which template, its name and its number.

A set belongs to a revision by its template, not by its name: a roll-back finds the old set again and gives it the
next number.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import structs

from reconciler.controllers.ownership import controller_reference
from reconciler.controllers.replicacounts import max_surge, wanted
from reconciler.provenance import without_provenance
from schemas.apps import Deployment, ReplicaSet, ReplicaSetSpec
from schemas.core.pod import PodTemplateSpec
from schemas.defaults.pod import template_spec
from schemas.meta import LabelSelector, ObjectMeta

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"
_LONGEST_HISTORY = 2000
_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
    "wherry.dev/healthy",
    "wherry.dev/rollout-failed",
)
_DIGITS = "bcdfghjklmnpqrstvwxz2456789"
_LATEST = datetime.max.replace(tzinfo=UTC)


def template_hash(template: PodTemplateSpec, collisions: int | None) -> str:
    """Names the template. `collisions` makes another name where an earlier one was taken."""
    content = msgspec.json.encode(template, order="deterministic") + str(collisions or "").encode()
    number = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    digits = []
    for _ in range(10):
        number, index = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[index])
    return "".join(digits)


def by_age(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Oldest first; a set that is only planned is the newest."""
    return sorted(sets, key=lambda one: (one.metadata.creation_timestamp or _LATEST, one.metadata.name))


def of_template(deployment: Deployment, sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The set whose template is the Deployment's present one, the oldest where there are several.

    Where none is equal as written, they are compared with every default filled in: a default that is new must not
    start a new revision.
    """
    aged = by_age(sets)
    wanted_template = _plain(deployment.spec.template)
    for one in aged:
        if one.spec.template is not None and _plain(one.spec.template) == wanted_template:
            return one
    wanted_template = _complete(wanted_template)
    for one in aged:
        if one.spec.template is not None and _complete(_plain(one.spec.template)) == wanted_template:
            return one
    return None


def _complete(template: PodTemplateSpec) -> PodTemplateSpec:
    return template if template.spec is None else structs.replace(template, spec=template_spec(template.spec))


def _plain(template: PodTemplateSpec) -> PodTemplateSpec:
    if HASH_LABEL not in template.metadata.labels:
        return template
    labels = {key: value for key, value in template.metadata.labels.items() if key != HASH_LABEL}
    return structs.replace(template, metadata=structs.replace(template.metadata, labels=labels))


def number(annotations: Mapping[str, str]) -> int:
    """The revision that the annotations tell, 0 where they tell none."""
    written = annotations.get(REVISION, "")
    return int(written) if written.isascii() and written.isdigit() else 0


def next_number(old: Iterable[ReplicaSet]) -> int:
    return max((number(one.metadata.annotations) for one in old), default=0) + 1


def new_set(deployment: Deployment, revision: int) -> ReplicaSet:
    """The set of a template that has none yet, with no replicas."""
    name = template_hash(deployment.spec.template, deployment.status.collision_count)
    template = deployment.spec.template
    labels = {**template.metadata.labels, HASH_LABEL: name}
    selector = LabelSelector(
        match_expressions=deployment.spec.selector.match_expressions,
        match_labels={**deployment.spec.selector.match_labels, HASH_LABEL: name},
    )
    metadata = ObjectMeta(
        name=f"{deployment.metadata.name[: 253 - len(name) - 1]}-{name}",
        namespace=deployment.metadata.namespace,
        labels=labels,
        annotations={**copied_annotations(deployment), REVISION: str(revision)},
        owner_references=(controller_reference(deployment),),
    )
    return ReplicaSet(
        metadata=metadata,
        spec=ReplicaSetSpec(
            selector=selector,
            min_ready_seconds=deployment.spec.min_ready_seconds,
            replicas=0,
            template=structs.replace(template, metadata=structs.replace(template.metadata, labels=labels)),
        ),
    )


def copied_annotations(deployment: Deployment) -> dict[str, str]:
    return {key: value for key, value in deployment.metadata.annotations.items() if key not in _NOT_COPIED}


def renewed(replica_set: ReplicaSet, deployment: Deployment, revision: int) -> ReplicaSet:
    """The set as the present revision: with the Deployment's annotations, and the number if it is a higher one."""
    annotations = {**without_provenance(replica_set.metadata.annotations), **copied_annotations(deployment)}
    before = number(annotations)
    if before < revision:
        if REVISION in annotations:
            annotations[HISTORY] = _remembered(annotations.get(HISTORY, ""), annotations[REVISION])
        annotations[REVISION] = str(revision)
    spec = structs.replace(replica_set.spec, min_ready_seconds=deployment.spec.min_ready_seconds)
    return structs.replace(
        replica_set, spec=spec, metadata=structs.replace(replica_set.metadata, annotations=annotations)
    )


def _remembered(history: str, revision: str) -> str:
    earlier = [*history.split(","), revision] if history else [revision]
    while len(earlier) > 1 and len(",".join(earlier)) > _LONGEST_HISTORY:
        del earlier[0]
    return ",".join(earlier)


def sized(replica_set: ReplicaSet, deployment: Deployment, replicas: int) -> ReplicaSet:
    """The set with that many replicas, and the annotations that tell what the Deployment had allowed."""
    annotations = {
        **replica_set.metadata.annotations,
        DESIRED: str(wanted(deployment)),
        MAX: str(wanted(deployment) + max_surge(deployment)),
    }
    return structs.replace(
        replica_set,
        spec=structs.replace(replica_set.spec, replicas=replicas),
        metadata=structs.replace(replica_set.metadata, annotations=annotations),
    )


def annotated(replica_set: ReplicaSet, annotation: str) -> int | None:
    """The number in an annotation, or None."""
    written = replica_set.metadata.annotations.get(annotation, "")
    return int(written) if written.isascii() and written.isdigit() else None


def expendable(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old sets beyond `revisionHistoryLimit` that nothing runs of any more."""
    limit = deployment.spec.revision_history_limit
    if limit is None:
        return []
    alive = [one for one in old if one.metadata.deletion_timestamp is None]
    excess = sorted(alive, key=lambda one: number(one.metadata.annotations))[: max(0, len(alive) - limit)]
    return [one for one in excess if one.status.replicas == 0 and one.spec.replicas == 0]
