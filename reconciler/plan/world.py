"""A copy of the cluster in memory: the store's own rules and cache, without a store.

Time stands still until it is moved on, and names and uids come from a counter: the same copy and the same changes
have the same outcome. Events are not kept, nobody reads them here.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.controllers.imagewait import NOT_TOLD, STATES
from reconciler.store.cache import Cache
from reconciler.store.changes import Change, Emit
from reconciler.store.draft import Draft
from reconciler.store.planning import SUFFIX_ALPHABET, SUFFIX_LENGTH, Admit, Amend, Mint, plan
from reconciler.store.view import Event
from schemas.core.node import Node
from schemas.meta import Object, Ref


class World:
    """`apply` is what `Cluster.apply` is to the daemon: one commit, or a `ChangeError` and nothing."""

    def __init__(self, objects: Iterable[Object], now: datetime, admit: Admit, amend: Amend) -> None:
        loaded = [_without_waiting(one) for one in objects if one.kind != "Event"]
        versions = (one.metadata.resource_version for one in loaded)
        self.cache = Cache(max((int(one) for one in versions if one.isdecimal()), default=1))
        self.cache.load(loaded)
        self.now = now.replace(microsecond=0)
        self.written: dict[Ref, Object | None] = {}
        """All that was written since the start, as it is now (None: removed)."""
        self._admit, self._amend = admit, amend
        self._begun = self.cache.revision
        self._minted = 0
        self._mint = Mint(self._uid, self._suffix)
        self.cache.subscribe(self._note)

    def subscribe(self, listener: Callable[[Sequence[Event]], None]) -> None:
        self.cache.subscribe(listener)

    def apply(self, changes: Sequence[Change]) -> tuple[Object | None, ...]:
        """The objects that the changes are about, as they are afterwards. Raises `ChangeError`."""
        draft, subjects = Draft(self.cache), list[Ref | None]()
        for change in changes:
            if isinstance(change, Emit):
                subjects.append(None)
                continue
            planned = plan(change, draft, self.now, self._mint, self._admit, self._amend)
            for ref, object_ in planned.writes:
                draft.write(ref, object_)
            subjects.append(planned.ref)
        if draft.touched:
            revision = self.cache.revision + len(draft.touched)
            self.cache.push(revision, draft.touched.items(), 1, self.now.timestamp())
        return tuple(self.cache.find(ref) if ref else None for ref in subjects)

    def _note(self, events: Sequence[Event]) -> None:
        for event in events:
            metadata = event.object.metadata
            self.written[Ref(event.object.kind, metadata.namespace, metadata.name)] = event.new

    def _uid(self) -> str:
        self._minted += 1
        return f"planned-{self._begun}-{self._minted:08}"  # another one than those of a plan that led here

    def _suffix(self) -> str:
        self._minted += 1
        number, letters = self._minted, ""
        for _ in range(SUFFIX_LENGTH):
            number, index = divmod(number, len(SUFFIX_ALPHABET))
            letters += SUFFIX_ALPHABET[index]
        return letters


def _without_waiting(object_: Object) -> Object:
    """No node fetches images here, so that an update must not wait for any."""
    if not isinstance(object_, Node):
        return object_
    annotations = object_.metadata.annotations | {STATES: NOT_TOLD}
    return structs.replace(object_, metadata=structs.replace(object_.metadata, annotations=annotations))
