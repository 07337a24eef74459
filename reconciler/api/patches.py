"""The three kinds of patch, by the media type that names them."""

from collections.abc import Callable
from typing import Any

import msgspec

from reconciler.api.status import StatusError, bad_request
from schemas import gojson
from schemas.kinds import Kind
from schemas.patch import UnknownDirective, json_patch, merge_patch, strategic_merge_patch

Document = dict[str, Any]

_JSON, _MERGE, _STRATEGIC = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def patcher(kind: Kind | None, media: str, body: bytes) -> Callable[[Document], Document]:
    """What the patch makes of a document. Raises the 400 and 415; the function may raise the 422.

    Without a kind (a `Scale`, whose lists are none) a strategic patch is a merge patch.
    """
    if media not in (_JSON, _MERGE, _STRATEGIC):
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
    try:
        patch = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        why = gojson.fault(body) or str(error)
        raise bad_request(why if media == _STRATEGIC else f"error decoding patch: {why}") from None
    if not isinstance(patch, list if media == _JSON else dict):
        found = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(patch), "number")
        into = "[]handlers.jsonPatchOp" if media == _JSON else "map[string]interface {}"
        raise bad_request(f"error decoding patch: json: cannot unmarshal {found} into Go value of type {into}")

    def change(document: Document) -> Document:
        try:
            patched = _apply(kind, media, document, patch)
        except UnknownDirective as error:
            raise StatusError(500, "", str(error)) from None
        except ValueError as error:
            message = "the server rejected our request due to an error in our request"
            told = "" if media == _JSON else f": {error}"  # of a JSON patch Kubernetes says no more
            raise StatusError(422, "Invalid", message + told, details={}) from None
        if not isinstance(patched, dict):
            raise bad_request("the patch leaves no object")
        return patched

    return change


def _apply(kind: Kind | None, media: str, document: Document, patch: Any) -> Any:  # noqa: ANN401
    if media == _JSON:
        return json_patch(document, patch)
    if media == _MERGE or kind is None:
        return merge_patch(document, patch)
    return strategic_merge_patch(kind.type, document, patch)
