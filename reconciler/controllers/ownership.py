"""Who controls what: controllers take in what their selector matches and let go what it no longer does.

An object has at most one controller. Two controllers whose selectors overlap never take from each other: only an
object that nobody controls is adopted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import structs

from reconciler.controllers import podstate
from reconciler.store.cache import KIND_OF
from reconciler.store.changes import Update
from reconciler.store.view import AnySelecting, Event, View
from schemas import selectors
from schemas.apps import ControllerRevision, ReplicaSet
from schemas.core.pod import Pod
from schemas.meta import LabelSelector, Object, OwnerReference, Ref, controller_of, ref_of

Dependent = TypeVar("Dependent", Pod, ReplicaSet, ControllerRevision)


class Claim(msgspec.Struct, Generic[Dependent], frozen=True):
    """What a controller controls (as it will be after `changes`), and the adoptions and releases."""

    owned: tuple[Dependent, ...]
    changes: tuple[Update, ...]


def controller_reference(owner: Object) -> OwnerReference:
    """The reference by which a dependent names its controller."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def controls(owner: Object, dependent: Object) -> bool:
    found = controller_of(dependent)
    return found is not None and found.uid == owner.metadata.uid


def orphans(type_: type[Dependent], namespace: str, selector: LabelSelector | None, view: View) -> Iterable[Dependent]:
    """Objects of the namespace that nobody owns; of pods those alone that the selector may pick."""
    if type_ is Pod and selector is not None:  # Of them there may be many, of others hardly any.
        return cast(Iterable[Dependent], view.orphans(namespace, selector.match_labels))
    return (one for one in view.owned_by(type_, "") if one.metadata.namespace == namespace)


def claim(
    owner: Object,
    selector: LabelSelector,
    type_: type[Dependent],
    view: View,
    belongs: Callable[[Dependent], bool] = lambda _: True,
    there: Sequence[Dependent] | None = None,
) -> Claim[Dependent]:
    """What the owner controls, by reference and selector; what does not belong to it by its name is passed over.

    `there`: those that name it as an owner, as far as they are to be looked at; None for all.
    """
    dying = owner.metadata.deletion_timestamp is not None
    owned: list[Dependent] = []
    changes: list[Update] = []
    for dependent in view.owned_by(type_, owner.metadata.uid) if there is None else there:
        if not belongs(dependent) or not controls(owner, dependent):
            continue
        if selectors.matches(selector, dependent.metadata.labels):
            owned.append(dependent)
        elif not dying and _takes_part(dependent, owner):
            changes.append(Update(_released(dependent, owner)))
    if not dying:
        for orphan in orphans(type_, owner.metadata.namespace, selector, view):
            matches = selectors.matches(selector, orphan.metadata.labels)
            if matches and _takes_part(orphan, owner) and belongs(orphan):
                adopted = _adopted(orphan, owner)
                owned.append(adopted)
                changes.append(Update(adopted))
    return Claim(tuple(owned), tuple(changes))


def keepers(
    event: Event, type_: type[AnySelecting], view: View, selects: Callable[[Any, Mapping[str, str]], bool]
) -> set[Ref]:
    """Which objects of a type have to look again at what they control: those that had or have the object of the event.

    Without a controller, those that might adopt it: `selects` tells whether one wants these labels.
    """
    kind = KIND_OF[type_]
    found = {ref for each in (event.old, event.new) if each is not None for ref in _controlling(each, kind)}
    new = event.new
    if new is not None and controller_of(new) is None and new.metadata.labels:
        candidates = view.selecting(type_, new.metadata.namespace, new.metadata.labels)
        found.update(ref_of(one) for one in candidates if selects(one, new.metadata.labels))
    return found


def _controlling(dependent: Object, kind: str) -> Iterator[Ref]:
    owner = controller_of(dependent)
    if owner is not None and owner.kind == kind:
        yield Ref(kind, dependent.metadata.namespace, owner.name)


def _takes_part(dependent: Object, owner: Object) -> bool:
    """Whether it may change hands: what is ending stays where it is.

    So does a pod that has ended, where pods are only counted; one with a name or a node of its own stands in the way
    of its successor, and has to be taken to be cleared away.
    """
    if dependent.metadata.deletion_timestamp is not None:
        return False
    return not (isinstance(owner, ReplicaSet) and isinstance(dependent, Pod) and podstate.ended(dependent))


def _adopted(dependent: Dependent, owner: Object) -> Dependent:
    return _with_owners(dependent, (*_other_owners(dependent, owner), controller_reference(owner)))


def _released(dependent: Dependent, owner: Object) -> Dependent:
    return _with_owners(dependent, _other_owners(dependent, owner))


def _other_owners(dependent: Object, owner: Object) -> tuple[OwnerReference, ...]:
    return tuple(one for one in dependent.metadata.owner_references if one.uid != owner.metadata.uid)


def _with_owners(dependent: Dependent, owners: Sequence[OwnerReference]) -> Dependent:
    metadata = structs.replace(dependent.metadata, owner_references=tuple(owners))
    return structs.replace(dependent, metadata=metadata)
