"""What a request's body holds, by the media type that it says: JSON, YAML or Kubernetes' protobuf.

Pure: bytes go in, a document comes out; what cannot be read is refused in Kubernetes' words.
"""

from typing import Any

from reconciler.api import protobuf
from reconciler.api.bodies import parse
from reconciler.api.status import StatusError, bad_request

JSON, YAML = "application/json", "application/yaml"
MEDIA = (JSON, YAML, protobuf.MEDIA)
_UNNAMED = "application/octet-stream"
"""What a body is called that names no media type; it is taken to be JSON."""
_SHOWN = 100
"""Bytes of a body that an error repeats."""

Document = dict[str, Any]


def document(media: str, body: bytes, expected: str) -> Document:
    """The document in a body, which is meant to be an `expected`. Raises the 400 and the 415."""
    match media:
        case "application/json" | "application/octet-stream" | "":
            try:
                return parse(body, expected)
            except RecursionError:
                raise bad_request("the body is nested too deep to be read") from None
        case protobuf.MEDIA:
            return protobuf.document(body)
        case "application/yaml":
            return _yaml(body, expected)
        case _:
            raise unsupported(*MEDIA)


def accepts(media: str, *accepted: str) -> bool:
    return media in (*accepted, _UNNAMED)


def unsupported(*accepted: str) -> StatusError:
    """The 415, which names what would have been read."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def _yaml(body: bytes, expected: str) -> Document:
    # The reader of manifests bounds depth and aliases; imported at the first such body.
    from reconciler.manifests.parse import parse as parse_yaml

    parsed = parse_yaml(body)
    problems = [parsed.refused] if parsed.refused else [one for found in parsed.documents for one in found.problems]
    for problem in problems:
        if not problem.is_duplicate:
            raise _unreadable(expected, problem.message.removeprefix("this is not YAML: "), body)
    found = parsed.documents[0].data if parsed.documents else None
    if not isinstance(found, dict):
        raise _unreadable(expected, "the document is no mapping", body)
    return found


def _unreadable(expected: str, why: str, body: bytes) -> StatusError:
    shown = body[:_SHOWN].hex() + (" ..." if len(body) > _SHOWN else "")
    return bad_request(f"the object provided is unrecognized (must be of type {expected}): yaml: {why} ({shown})")
