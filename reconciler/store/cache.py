"""The cluster in memory: typed objects, always all at one store revision, with the indexes that readers need.

Only `Cluster` writes here. Objects are immutable and shared with whoever asks; lists are ordered by namespace and
name, and what no commit has touched since is handed out again as it is.
"""

import logging
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast, get_args

from reconciler.store.claimants import Claimants
from reconciler.store.claims import claims
from reconciler.store.codec import at_version
from reconciler.store.history import Bounds, History
from reconciler.store.labels import Askers, Bearers, Labels, Selecting, may_select
from reconciler.store.view import AnyObject, AnySelecting, Event
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.meta import Object, Ref, ref_of

log = logging.getLogger(__name__)

BOUNDS = Bounds(seconds=300, commits=5_000, size=2 << 20)
"""Of the events that `since` can return. The size is that of the objects as JSON, in memory they take
four times that."""

Listener = Callable[[Sequence[Event]], None]
KIND_OF = {kind.type: kind.name for kind in KINDS}


class _Shelf:
    """The objects of one kind in one namespace, in order of their names."""

    __slots__ = ("_listed", "_names", "objects")

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self._names: list[str] = []
        self._listed: tuple[Object, ...] | None = None

    def put(self, name: str, object_: Object) -> None:
        if name not in self.objects:
            insort(self._names, name)
        self.objects[name] = object_
        self._listed = None

    def drop(self, name: str) -> None:
        del self.objects[name], self._names[bisect_left(self._names, name)]
        self._listed = None

    def listed(self) -> tuple[Object, ...]:
        if self._listed is None:
            self._listed = tuple(map(self.objects.__getitem__, self._names))
        return self._listed


class Cache:
    """A `View` and a `Feed` of all objects."""

    def __init__(self, revision: int = 0, *, bounds: Bounds = BOUNDS) -> None:
        self._revision = revision
        self._shelves: dict[str, dict[str, _Shelf]] = {kind.name: {} for kind in KINDS}
        self._by_uid: dict[str, Object] = {}
        self._owned: dict[tuple[str, str], dict[Ref, Object]] = {}  # (owner's uid, kind)
        self._on_node: dict[str, dict[Ref, Pod]] = {}
        self._pods_by_label, self._orphans_by_label = Bearers(), Bearers()
        self._askers: dict[str, Askers] = {KIND_OF[type_]: Askers() for type_ in get_args(Selecting)}
        self._claimed: dict[str, Ref] = {}
        self._claimants = Claimants()
        self._history: History[tuple[Event, ...]] = History(revision, bounds)
        self._listeners: list[Listener] = []

    @property
    def revision(self) -> int:
        return self._revision

    def __len__(self) -> int:
        return len(self._by_uid)

    def find(self, ref: Ref) -> Object | None:
        shelf = self._shelves[ref.kind].get(ref.namespace) if ref.kind in self._shelves else None
        return shelf.objects.get(ref.name) if shelf else None

    def get(self, type_: type[AnyObject], namespace: str, name: str) -> AnyObject | None:
        shelf = self._shelves[KIND_OF[type_]].get(namespace)
        return cast("AnyObject | None", shelf.objects.get(name)) if shelf else None

    def list(self, type_: type[AnyObject], namespace: str | None = None) -> Sequence[AnyObject]:
        shelves = self._shelves[KIND_OF[type_]]
        if namespace is not None:
            found = shelves[namespace].listed() if namespace in shelves else ()
        elif len(shelves) == 1:
            found = next(iter(shelves.values())).listed()
        else:
            found = tuple(object_ for _, shelf in sorted(shelves.items()) for object_ in shelf.listed())
        return cast("Sequence[AnyObject]", found)

    def owned_by(self, type_: type[AnyObject], uid: str) -> Sequence[AnyObject]:
        return cast("Sequence[AnyObject]", _by_name(self._owned.get((uid, KIND_OF[type_]), {})))

    def by_uid(self, uid: str) -> Object | None:
        return self._by_uid.get(uid)

    def pods_on(self, node: str) -> Sequence[Pod]:
        return _by_name(self._on_node.get(node, {}))

    def holder(self, claim: str) -> Ref | None:
        return self._claimed.get(claim)

    def pods_with(self, namespace: str, labels: Labels) -> Sequence[Pod]:
        if not labels:
            return self.list(Pod, namespace)
        return self._bearing(self._pods_by_label.of(namespace, labels), namespace, labels)

    def orphans(self, namespace: str, labels: Labels) -> Sequence[Pod]:
        if not labels:
            return tuple(one for one in self.owned_by(Pod, "") if one.metadata.namespace == namespace)
        return self._bearing(self._orphans_by_label.of(namespace, labels), namespace, labels)

    def pods_claiming(self, namespace: str, claim: str) -> Sequence[Pod]:
        names = sorted(self._claimants.of(namespace, claim))
        return tuple(cast("Pod", self._shelves["Pod"][namespace].objects[name]) for name in names)

    def _bearing(self, names: Iterable[str], namespace: str, labels: Labels) -> Sequence[Pod]:
        shelf = self._shelves["Pod"].get(namespace)
        objects = cast("dict[str, Pod]", shelf.objects if shelf is not None else {})
        found = (objects[name] for name in sorted(names))
        return tuple(pod for pod in found if labels.items() <= pod.metadata.labels.items())

    def selecting(self, type_: type[AnySelecting], namespace: str, labels: Labels) -> Sequence[AnySelecting]:
        kind = KIND_OF[type_]
        shelf = self._shelves[kind].get(namespace)
        objects = cast("dict[str, AnySelecting]", shelf.objects if shelf is not None else {})
        found = (objects[name] for name in sorted(self._askers[kind].of(namespace, labels)))
        return tuple(one for one in found if may_select(one, labels))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def since(self, revision: int) -> Sequence[Event]:
        return [event for _, events in self._history.after(revision) for event in events if event.revision > revision]

    def load(self, objects: Iterable[Object]) -> None:
        """Takes in what was there before the first commit; nobody is told."""
        for object_ in objects:
            self._put(ref_of(object_), object_, None)

    def push(self, revision: int, written: Iterable[tuple[Ref, Object | None]], size: int, now: float) -> None:
        """Goes on to a commit: each object as it was written, None where it was removed. Then tells the listeners.

        `revision` is that of the last object, the others have the ones before it.
        `size` is the number of bytes written, `now` a steady clock in seconds; both bound the history.
        """
        there = [(ref, object_) for ref, object_ in written if object_ is not None or self.find(ref) is not None]
        events = []
        for at, (ref, object_) in enumerate(there, revision - len(there) + 1):
            old = self.find(ref)
            new = None if object_ is None else at_version(object_, str(at))
            if new is not None:
                self._put(ref, new, old)
            elif old is not None:
                self._drop(ref, old)
            events.append(Event(at, old, new))
        self._revision = revision
        self._history.add(revision, tuple(events), size, now)
        self._tell(events)

    def _tell(self, events: Sequence[Event]) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(events)
            except Exception:  # one reader's fault must not keep the others, or the writer, from the commit
                log.exception("listener failed listener=%r revision=%d", listener, self._revision)

    def _put(self, ref: Ref, new: Object, old: Object | None) -> None:
        shelves = self._shelves[ref.kind]
        shelf = shelves.get(ref.namespace)
        if shelf is None:
            shelf = shelves[ref.namespace] = _Shelf()
        shelf.put(ref.name, new)
        if old is not None:
            self._unlink(ref, old, new)
        self._by_uid[new.metadata.uid] = new
        for uid in _owners(new):
            self._owned.setdefault((uid, ref.kind), {})[ref] = new
        if isinstance(new, Pod):
            was = old if isinstance(old, Pod) else None
            self._pods_by_label.put(new, was)
            self._claimants.put(new, was)
            self._label_orphan(new, was)
            if new.spec.node_name:
                self._on_node.setdefault(new.spec.node_name, {})[ref] = new
        elif ref.kind in self._askers:
            self._askers[ref.kind].put(cast("Selecting", new), cast("Selecting | None", old))
        self._claimed.update(dict.fromkeys(claims(new), ref))

    def _drop(self, ref: Ref, old: Object) -> None:
        shelves = self._shelves[ref.kind]
        shelves[ref.namespace].drop(ref.name)
        if not shelves[ref.namespace].objects:
            del shelves[ref.namespace]
        self._unlink(ref, old, None)
        if isinstance(old, Pod):
            self._pods_by_label.drop(old)
            self._claimants.drop(old)
            self._label_orphan(None, old)
        elif ref.kind in self._askers:
            self._askers[ref.kind].drop(cast("Selecting", old))

    def _label_orphan(self, new: Pod | None, old: Pod | None) -> None:
        was = old is not None and not old.metadata.owner_references
        if new is not None and not new.metadata.owner_references:
            self._orphans_by_label.put(new, old if was else None)
        elif old is not None and was:
            self._orphans_by_label.drop(old)

    def _unlink(self, ref: Ref, old: Object, new: Object | None) -> None:
        """Takes the old version out of the indexes where the new one will not stand in its place."""
        if new is None or new.metadata.uid != old.metadata.uid:
            self._by_uid.pop(old.metadata.uid, None)
        if new is None or new.metadata.owner_references is not old.metadata.owner_references:
            for uid in _owners(old):
                _take_out(self._owned, (uid, ref.kind), ref)
        if isinstance(old, Pod) and (not isinstance(new, Pod) or new.spec.node_name != old.spec.node_name):
            _take_out(self._on_node, old.spec.node_name, ref)
        for claim in claims(old) - claims(new):
            if self._claimed.get(claim) == ref:
                del self._claimed[claim]


def _owners(object_: Object) -> tuple[str, ...]:
    """Uids of the owners, an empty one where there are none."""
    return tuple(owner.uid for owner in object_.metadata.owner_references) or ("",)


def _by_name(found: dict[Ref, AnyObject]) -> tuple[AnyObject, ...]:
    return tuple(object_ for _, object_ in sorted(found.items(), key=_ref))


def _ref(item: tuple[Ref, object]) -> Ref:
    return item[0]


_Key = TypeVar("_Key")


def _take_out(index: dict[_Key, dict[Ref, AnyObject]], key: _Key, ref: Ref) -> None:
    members = index.get(key)
    if members is not None:
        members.pop(ref, None)
        if not members:
            del index[key]
