"""Get and list: which objects, of which revision, on which page.

Pure, over the view of the cluster. A list in pages is consistent: every page is of the revision of the first, for
the events since then are undone. Where they are no longer kept, the client is told to start again (410).
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
from msgspec import structs

from reconciler.api.options import INCONSISTENT, Continue, ListOptions, Selection
from reconciler.api.representation import ListPosition
from reconciler.api.status import expired, not_found, too_large_revision
from reconciler.api.target import Target
from reconciler.store.interface import Compacted
from reconciler.store.view import Event, Feed, View
from schemas.kinds import Kind
from schemas.meta import Object, Ref

_GONE_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter, or use the continue token in this response to retrieve "
    "the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that "
    "were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
)
_GONE = "The resourceVersion for the provided list is too old."


class History(View, Feed, Protocol):
    """The cluster as it is, and how it came to be so."""


class Page(msgspec.Struct, frozen=True):
    objects: Sequence[Object]
    position: ListPosition


def get(view: View, target: Target) -> Object:
    """The object, or the 404."""
    found = view.find(Ref(target.kind.name, target.place, target.name))
    if found is None:
        raise not_found(target.kind, target.name)
    return found


def check_revision(view: View, asked: int | None) -> None:
    """Raises the 504 where the cluster has not come so far."""
    if asked is not None and asked > view.revision:
        raise too_large_revision(asked, view.revision)


def list_page(cache: History, kind: Kind, selection: Selection, options: ListOptions) -> Page:
    """The objects picked, as of the revision asked for, as far as the page goes."""
    asked = options.continue_.revision if options.continue_ else options.revision
    asked = None if asked == INCONSISTENT else asked
    check_revision(cache, asked)
    found: Sequence[Object] = cache.list(kind.type, selection.namespace)
    revision = cache.revision
    if asked is not None and asked < revision and (options.exact or options.continue_):
        try:
            later = cache.since(asked)
        except Compacted:
            if options.continue_ is None:
                raise expired(_GONE) from None
            raise expired(_GONE_PAGE, structs.replace(options.continue_, revision=INCONSISTENT).encode()) from None
        found, revision = as_of(found, [event for event in later if event.object.kind == kind.name]), asked
    picked = [object_ for object_ in found if selection.picks(object_)]
    if options.continue_:
        start = (options.continue_.namespace, options.continue_.name)
        picked = [object_ for object_ in picked if _key(object_) > start]
    if not options.limit or len(picked) <= options.limit:
        return Page(picked, ListPosition(revision))
    remaining = len(picked) - options.limit
    picked = picked[: options.limit]
    token = Continue(revision, *_key(picked[-1])).encode()
    selects = selection.labels is not None or selection.fields
    return Page(picked, ListPosition(revision, token, 0 if selects else remaining))


def as_of(present: Iterable[Object], later: Iterable[Event]) -> Sequence[Object]:
    """The objects before those events, by namespace and name."""
    by_key = {_key(object_): object_ for object_ in present}
    for event in reversed(list(later)):
        if event.old is None:
            by_key.pop(_key(event.object), None)
        else:
            by_key[_key(event.old)] = event.old
    return [by_key[key] for key in sorted(by_key)]


def _key(object_: Object) -> tuple[str, str]:
    return object_.metadata.namespace, object_.metadata.name
