"""What a caller may ask about itself: who am I, and may I (`kubectl auth whoami`, `kubectl auth can-i`).

There is one user, who may do everything.
"""

from typing import Any

import msgspec

from reconciler.api import protobuf
from reconciler.api.auth import ADMIN, GROUPS
from reconciler.api.status import bad_request, no_such_resource

_KINDS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
}


def review(group: str, version: str, plural: str, body: bytes) -> dict[str, Any]:
    """The answer to such a question, with the question where it can be read (kubectl asks in protobuf)."""
    kind = _KINDS.get((group, plural))
    if kind is None or version != "v1":
        raise no_such_resource()
    answer: dict[str, Any] = {"kind": kind, "apiVersion": f"{group}/{version}", "metadata": {}}
    if kind == "SelfSubjectReview":
        return answer | {"status": {"userInfo": {"username": ADMIN, "groups": list(GROUPS)}}}
    spec = {} if body.startswith(protobuf.MAGIC) else _spec(kind, body)
    return answer | {"spec": spec, "status": {"allowed": True}}


def _spec(kind: str, body: bytes) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(body, type=dict[str, Any]).get("spec", {})
    except msgspec.DecodeError as error:
        raise bad_request(f"the body must be a {kind}: {error}") from None
