"""Stored objects that are served in a second form as well, under another group or version."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas import autoscalingv1, events
from schemas.kinds import Kind
from schemas.meta import Object

Document = dict[str, Any]


class View(NamedTuple):
    """How one form becomes the other: objects and documents as they are shown, documents and selectors as stored."""

    kind: Kind
    shown: Callable[[Object], Object]
    shown_document: Callable[[Mapping[str, Any]], Document]
    stored_document: Callable[[Mapping[str, Any]], Document]
    stored_selector: Callable[[str], str]


VIEWS = tuple(
    View(room.KIND, room.shown, room.shown_document, room.stored_document, room.stored_selector)
    for room in (autoscalingv1, events)
)
KINDS = tuple(view.kind for view in VIEWS)
_BY_VERSION = {view.kind.api_version: view for view in VIEWS}


def of(kind: Kind) -> View:
    """The view whose kind this is."""
    return _BY_VERSION[kind.api_version]
