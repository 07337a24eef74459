"""Claims of a StatefulSet: made before the pod that mounts them, kept or ended by the retention policy.

Who owns a claim decides when it goes: the set, where it is to go with the set; the pod, once that is to go in
scaling down; nobody, where it is to stay
(https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention).
"""

from collections.abc import Iterator

from msgspec import structs

from reconciler.controllers.ownership import controller_reference
from reconciler.controllers.statefulpods import claim_name, ordinal, wanted
from reconciler.provenance import provenance
from reconciler.store.changes import Change, Create, Emit, Update
from reconciler.store.view import View
from schemas.apps import StatefulSet
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.meta import ObjectMeta, OwnerReference, controller_of

COMPONENT = "statefulset-controller"


def found(owner: StatefulSet, number: int, view: View) -> Iterator[PersistentVolumeClaim]:
    """The claims of an ordinal that there are."""
    for template in owner.spec.volume_claim_templates:
        name = claim_name(owner, template, number)
        claim = view.get(PersistentVolumeClaim, owner.metadata.namespace, name)
        if claim is not None:
            yield claim


def stale(owner: StatefulSet, number: int, view: View) -> bool:
    """Whether a claim is about to go, and a new pod would lose it: it has to be gone first."""
    return any(
        claim.metadata.deletion_timestamp is not None or any(_is_late(one, owner, number, view) for one in _pods(claim))
        for claim in found(owner, number, view)
    )


def _pods(claim: PersistentVolumeClaim) -> Iterator[OwnerReference]:
    return (one for one in claim.metadata.owner_references if one.kind == "Pod")


def _is_late(reference: OwnerReference, owner: StatefulSet, number: int, view: View) -> bool:
    """Whether the claim belongs to an earlier pod of this name."""
    name = f"{owner.metadata.name}-{number}"
    pod = view.get(Pod, owner.metadata.namespace, name)
    return reference.name == name and (pod is None or pod.metadata.uid != reference.uid)


def missing(owner: StatefulSet, number: int, view: View) -> Iterator[Change]:
    """Makes the claims of an ordinal that there are not yet."""
    pod = f"{owner.metadata.name}-{number}"
    for template in owner.spec.volume_claim_templates:
        name = claim_name(owner, template, number)
        if view.get(PersistentVolumeClaim, owner.metadata.namespace, name) is not None:
            continue
        metadata = ObjectMeta(
            name=name,
            namespace=owner.metadata.namespace,
            labels=template.metadata.labels | owner.spec.selector.match_labels,
            annotations=template.metadata.annotations | provenance(owner),
            finalizers=template.metadata.finalizers,
            owner_references=_owners(owner, None),
        )
        yield Create(PersistentVolumeClaim(metadata=metadata, spec=template.spec))
        text = f"create Claim {name} Pod {pod} in StatefulSet {owner.metadata.name} success"
        yield Emit(owner, "Normal", "SuccessfulCreate", text, COMPONENT)


def retained(owner: StatefulSet, pod: Pod, view: View) -> Iterator[Change]:
    """Puts right who owns the claims of a pod."""
    number = ordinal(owner, pod)
    assert number is not None
    for claim in found(owner, number, view):
        controller = controller_of(claim)
        ours = (owner.metadata.uid, pod.metadata.uid)
        if controller is not None and controller.uid not in ours:
            continue  # Somebody else decides when it goes.
        others = (one for one in claim.metadata.owner_references if one.uid not in ours)
        owners = (*others, *_owners(owner, pod if number not in wanted(owner) else None))
        if owners != claim.metadata.owner_references:
            yield Update(structs.replace(claim, metadata=structs.replace(claim.metadata, owner_references=owners)))


def _owners(owner: StatefulSet, condemned: Pod | None) -> tuple[OwnerReference, ...]:
    policy = owner.spec.persistent_volume_claim_retention_policy
    if policy is None:
        return ()
    if condemned is not None and policy.when_scaled == "Delete":
        return (controller_reference(condemned),)
    return (controller_reference(owner),) if policy.when_deleted == "Delete" else ()
