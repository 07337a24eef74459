"""Which form of an answer the client would rather have: `Accept` and `Accept-Encoding`, read as Kubernetes reads them.

Pure (https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources).
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from reconciler.api.media import JSON, MEDIA, YAML
from reconciler.api.protobuf import MEDIA as PROTOBUF
from reconciler.api.representation import Form
from reconciler.api.status import StatusError, unsupported_value

_META = "meta.k8s.io"
_FORMS: Mapping[str, Literal["Table", "Metadata"]] = {
    "PartialObjectMetadata": "Metadata",
    "PartialObjectMetadataList": "Metadata",
    "Table": "Table",
}


class Clause(msgspec.Struct, frozen=True):
    """One of the media types of an `Accept` header."""

    media: str
    parameters: Mapping[str, str]

    def takes(self, media: str) -> bool:
        return self.media in (media, f"{media.partition('/')[0]}/*", "*/*")


def clauses(accept: str) -> Sequence[Clause]:
    """The media types that a client takes, the dearest first; without any, all are welcome."""
    found: list[tuple[float, Clause]] = []
    for entry in accept.split(","):
        media, *rest = (part.strip() for part in entry.split(";"))
        if media:
            parameters = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in rest)}
            found.append((_quality(parameters.pop("q", "1")), Clause(media.lower(), parameters)))
    if not found:
        return [Clause("*/*", {})]
    return [clause for quality, clause in sorted(found, key=lambda one: -one[0]) if quality > 0]


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def negotiate(accept: str, include: str = "", *, watch: bool = False) -> Form:
    """The dearest form that can be given; `include` is the query's `includeObject`. Raises the 406."""
    for clause in clauses(accept):
        if not clause.takes(JSON) and (watch or not clause.takes(YAML)):
            continue
        asked = clause.parameters
        if asked.get("stream", "watch") != "watch":
            continue
        as_ = asked.get("as", "")
        if not as_:
            return Form("Object")
        if as_ in _FORMS and asked.get("g") == _META and asked.get("v") in ("v1", "v1beta1"):
            meta = f"{_META}/{asked['v']}"
            return Form("Table", _include(include), meta=meta) if as_ == "Table" else Form("Metadata", meta=meta)
    if not watch and wants_protobuf(accept):
        return Form("Object")
    raise not_acceptable(accept, stream=watch)


def _include(asked: str) -> Literal["None", "Metadata", "Object"]:
    match asked:
        case "" | "Metadata":
            return "Metadata"
        case "None":
            return "None"
        case "Object":
            return "Object"
        case _:
            raise unsupported_value("TableOptions", "includeObject", f'"{asked}"', "Metadata", "None", "Object")


def not_acceptable(accept: str, *, stream: bool = False) -> StatusError:
    """The 406: of nothing that the client takes is there any form, or not the form that it asks for."""
    if not stream and not any(clause.takes(media) for clause in clauses(accept) for media in MEDIA):
        message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(MEDIA)}"
        return StatusError(406, "NotAcceptable", message, details={})
    offered = [f"{JSON};stream=watch", f"{MEDIA[2]};stream=watch"] if stream else MEDIA
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {', '.join(offered)}")


def wants_yaml(accept: str) -> bool:
    """Whether YAML is dearer to the client than JSON."""
    for clause in clauses(accept):
        if clause.takes(JSON):
            return False
        if clause.takes(YAML):
            return True
    return False


def wants_protobuf(accept: str) -> bool:
    """Whether the client takes protobuf, and nothing that is cheaper to make."""
    found = clauses(accept)
    if any(clause.takes(media) for clause in found for media in (JSON, YAML)):
        return False
    return any(clause.takes(PROTOBUF) and not clause.parameters.get("as") for clause in found)


def wants_gzip(accept_encoding: str) -> bool:
    """Whether the client can unpack gzip."""
    return any(clause.media == "gzip" for clause in clauses(accept_encoding))


def wants_pretty(query: Mapping[str, str], agent: str) -> bool:
    """Whether a person reads the answer: one that says so, or that sits before curl or a browser."""
    asked = query.get("pretty")
    if asked is not None:
        return asked.lower() in ("1", "true", "t", "")
    return agent.startswith(("curl", "Wget", "Mozilla/5.0"))
