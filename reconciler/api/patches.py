"""The three kinds of patch, by the media type that names them."""

from collections.abc import Callable
from typing import Any

import msgspec

from reconciler.api.status import StatusError, bad_request
from schemas.kinds import Kind
from schemas.patch import json_patch, merge_patch, strategic_merge_patch

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
        accepted = ", ".join((_JSON, _MERGE, _STRATEGIC))
        message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise StatusError(415, "UnsupportedMediaType", message)
    try:
        patch = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding patch: {error}") from None
    wanted = list if media == _JSON else dict
    if not isinstance(patch, wanted):
        raise bad_request(f"error decoding patch: {media} must be a JSON {'array' if wanted is list else 'object'}")

    def change(document: Document) -> Document:
        try:
            patched = _apply(kind, media, document, patch)
        except ValueError as error:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise StatusError(422, "Invalid", message, details={}) from None
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
