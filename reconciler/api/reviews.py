"""What a caller may ask about itself: who am I, and may I (`kubectl auth whoami`, `kubectl auth can-i`).

There is one user, who may do everything.
"""

from typing import Any

import msgspec

from reconciler.api.auth import ADMIN, GROUPS
from reconciler.api.status import bad_request, no_such_resource

_KINDS = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authentication.k8s.io", "selfsubjectreviews"): "SelfSubjectReview",
}


def review(group: str, version: str, plural: str, body: bytes) -> dict[str, Any]:
    """The answer to such a question."""
    kind = _KINDS.get((group, plural))
    if kind is None or version != "v1":
        raise no_such_resource()
    try:
        asked = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise bad_request(f"the body must be a {kind}: {error}") from None
    answer: dict[str, Any] = {"kind": kind, "apiVersion": f"{group}/{version}", "metadata": {}}
    if kind == "SelfSubjectReview":
        return answer | {"status": {"userInfo": {"username": ADMIN, "groups": list(GROUPS)}}}
    return answer | {"spec": asked.get("spec", {}), "status": {"allowed": True}}
