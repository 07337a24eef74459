"""Questions about access: who am I, may I, may they, whose token is this.

Pure: the question as a document goes in, with its answer it comes out
(https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/). Nothing of it is kept.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from reconciler.api.attributes import Attributes
from reconciler.api.authorization import Authorizer
from reconciler.api.status import bad_request, invalid, no_such_resource
from reconciler.api.tokens import ISSUER, BadToken
from reconciler.api.users import User
from schemas.faults import Fault

Document = dict[str, Any]
Bearer = Callable[[str, tuple[str, ...]], User]
"""Whose token it is, for one of the audiences; raises `BadToken`."""

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"
KINDS = {
    (AUTHENTICATION, "selfsubjectreviews"): "SelfSubjectReview",
    (AUTHENTICATION, "tokenreviews"): "TokenReview",
    (AUTHORIZATION, "localsubjectaccessreviews"): "LocalSubjectAccessReview",
    (AUTHORIZATION, "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    (AUTHORIZATION, "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    (AUTHORIZATION, "subjectaccessreviews"): "SubjectAccessReview",
}
_NAMESPACED = "LocalSubjectAccessReview"


class _Resource(msgspec.Struct, frozen=True):
    namespace: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""

    def attributes(self) -> Attributes:
        return Attributes(
            self.verb, self.group, self.version, self.resource, self.subresource, self.namespace, self.name
        )


class _Path(msgspec.Struct, frozen=True):
    path: str = ""
    verb: str = ""

    def attributes(self) -> Attributes:
        return Attributes(self.verb, path=self.path or "/")


class _Access(msgspec.Struct, frozen=True, rename="camel"):
    resource_attributes: _Resource | None = None
    non_resource_attributes: _Path | None = None
    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    audiences: tuple[str, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    namespace: str = ""


class Asked(msgspec.Struct, frozen=True):
    """One question: which of `KINDS`, where (if in a namespace), by whom, and when. `manager` is the client's name."""

    group: str
    kind: str
    namespace: str
    document: Document
    user: User
    manager: str
    now: datetime

    def spec(self, type_: "type[T]") -> "T":
        try:
            return msgspec.convert(self.document.get("spec") or {}, type_)
        except msgspec.ValidationError as error:
            raise bad_request(f"{self.kind}: spec: {error}") from None


T = TypeVar("T")


def kind_of(group: str, version: str, plural: str, namespace: str) -> str:
    """The kind of question that stands under the path. Raises the 404."""
    kind = KINDS.get((group, plural))
    if kind is None or version != "v1" or (kind == _NAMESPACED) != bool(namespace):
        raise no_such_resource()
    return kind


def review(asked: Asked, authorizer: Authorizer, bearer: Bearer) -> Document:
    """The answer. Raises the 400 and 422 for a question that makes no sense."""
    match asked.kind:
        case "SelfSubjectReview":
            stamp = asked.now.strftime("%Y-%m-%dT%H:%M:%SZ")
            return _answer(asked, {"creationTimestamp": stamp}, None, {"userInfo": asked.user.document()})
        case "TokenReview":
            return _answer(asked, _owned(asked), asked.document.get("spec"), _token(asked.spec(_Token), bearer))
        case "SelfSubjectRulesReview":
            return _answer(asked, {}, {}, _rules(asked, authorizer))
    return _answer(asked, _owned(asked), asked.document.get("spec"), _access(asked, authorizer))


def _answer(asked: Asked, metadata: Document, spec: Document | None, status: Document) -> Document:
    placed = metadata | ({"namespace": asked.namespace} if asked.namespace else {})
    answer: Document = {"kind": asked.kind, "apiVersion": f"{asked.group}/v1", "metadata": placed}
    return answer | ({} if spec is None else {"spec": spec}) | {"status": status}


def _owned(asked: Asked) -> Document:
    """The question's own metadata, and the client's fields: Kubernetes tells of them as of any object's."""
    entry = {
        "manager": asked.manager,
        "operation": "Update",
        "apiVersion": f"{asked.group}/v1",
        "time": asked.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": _fields(asked.document.get("spec") or {})},
    }
    given = asked.document.get("metadata")
    return (given if isinstance(given, dict) else {}) | {"managedFields": [entry]}


def _fields(spec: Document) -> Document:
    found: Document = {}
    for name, value in spec.items():
        inner: Document = {f"f:{key}": {} for key in value} if isinstance(value, dict) else {}
        found[f"f:{name}"] = {".": {}} | inner if inner else {}
    return found


def _access(asked: Asked, authorizer: Authorizer) -> Document:
    spec = asked.spec(_Access)
    resource, path = spec.resource_attributes, spec.non_resource_attributes
    faults = []
    user = asked.user
    if not asked.kind.startswith("Self"):
        user = User(spec.user, spec.uid, spec.groups, spec.extra)
        if not spec.user and not spec.groups:
            faults.append(Fault(("spec", "user"), 'Invalid value: "": at least one of user or group must be specified'))
    what = resource or path
    if what is None or (resource and path):
        found = "null" if what is None else '""'
        message = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        faults.append(Fault(("spec", "resourceAttributes"), f"Invalid value: {found}: {message}"))
    if resource and asked.kind == _NAMESPACED and resource.namespace != asked.namespace:
        message = f'Invalid value: "{resource.namespace}": must match metadata.namespace'
        faults.append(Fault(("spec", "resourceAttributes", "namespace"), message))
    if what is None or faults:
        raise invalid("", asked.group, "", faults)
    decision = authorizer.authorize(user, what.attributes())
    return {"allowed": decision.allowed} | ({"reason": decision.reason} if decision.reason else {})


def _rules(asked: Asked, authorizer: Authorizer) -> Document:
    place = asked.spec(_Place).namespace
    if not place:
        raise bad_request("no namespace on request")
    resources, urls = list[Document](), list[Document]()
    for rule in authorizer.rules(asked.user, place):
        told = msgspec.to_builtins(rule)
        (urls if rule.non_resource_urls else resources).append(told)
    return {"resourceRules": resources, "nonResourceRules": urls, "incomplete": False}


def _token(spec: _Token, bearer: Bearer) -> Document:
    if not spec.token:
        raise bad_request("token is required for TokenReview in authentication")
    audiences = spec.audiences or (ISSUER,)
    try:
        user = bearer(spec.token, audiences)
    except BadToken:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": user.document(), "audiences": list(audiences)}
