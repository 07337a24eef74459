"""Whether an object, written out again, says all that its document said."""

from datetime import datetime
from typing import Any

import msgspec

from schemas.meta import Object
from schemas.shape import Json, Shape, shape_of


def lost(object_: Object, document: dict[str, Any]) -> bool:
    """Whether anything but nulls and zero values, which Kubernetes drops as well, is missing or different."""
    shape = shape_of(type(object_))
    written = msgspec.json.decode(msgspec.json.encode(object_))
    return not _holds(said(shape, written), said(shape, document))


def _holds(written: Json, document: Json) -> bool:
    """Whether all is there. There may be more: a claim template knows its kind though nobody wrote it."""
    if isinstance(document, dict) and isinstance(written, dict):
        return all(name in written and _holds(written[name], value) for name, value in document.items())
    if isinstance(document, list) and isinstance(written, list):
        return len(written) == len(document) and all(map(_holds, written, document))
    return bool(written == document)


def said(shape: Shape, value: Json) -> Json:
    """The value in one form for all its spellings, without what stands for absence."""
    if shape.form == "record" and isinstance(value, dict):
        found = {}
        for name, item in value.items():
            field = shape.fields.get(name)
            told = item if field is None or item is None else said(field.shape, item)
            if told or (told is not None and field is not None and field.nullable):
                found[name] = told
        return found
    if shape.item is not None and isinstance(value, list):
        return [said(shape.item, item) for item in value]
    if shape.item is not None and isinstance(value, dict):
        return {str(key): said(shape.item, item) for key, item in value.items() if item is not None}
    if not isinstance(value, str):
        return "" if value is None and shape.form == "text" else value  # an element that is null
    if shape.form == "time":
        return datetime.fromisoformat(value)
    return "".join(value.split()) if shape.form == "bytes" else value
