"""What goes wrong, as Kubernetes says it: `Status` objects with reason, message, details and code.

Clients act on the reason and the code, people read the message; both are those of Kubernetes
(https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from reconciler.store.changes import AlreadyExists, ChangeError, Conflict, NotFound, Refused, Unfit, UsedUp
from schemas.faults import Fault
from schemas.kinds import BY_NAME, Kind


class Cause(msgspec.Struct, frozen=True):
    """One of several things that are wrong."""

    reason: str
    message: str
    field: str = ""


class StatusError(Exception):
    """Ends a request with a `Status`."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        causes: Iterable[Cause] = (),
        continue_: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.continue_ = details, continue_
        listed = [{key: value for key, value in msgspec.to_builtins(cause).items() if value} for cause in causes]
        if listed:
            self.details = {**(details or {}), "causes": listed}

    def status(self) -> dict[str, Any]:
        """The error as a `Status` object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_} if self.continue_ else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        return {key: value for key, value in body.items() if value is not None and value != ""}


def success(kind: Kind, name: str, uid: str) -> dict[str, Any]:
    """What answers the deletion of an object that is gone."""
    details = {**resource_details(kind, name), "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def resource_name(kind: Kind) -> str:
    """`pods`, `deployments.apps`."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def resource_details(kind: Kind, name: str = "") -> dict[str, Any]:
    """What the error is about, by resource."""
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in details.items() if value}


def not_found(kind: Kind, name: str) -> StatusError:
    message = f'{resource_name(kind)} "{name}" not found'
    return StatusError(404, "NotFound", message, details=resource_details(kind, name))


def no_such_resource() -> StatusError:
    """The path names no resource that is served."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", details={})


def method_not_allowed() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, details={})


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def already_exists(kind: Kind, name: str) -> StatusError:
    message = f'{resource_name(kind)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=resource_details(kind, name))


def modified(kind: Kind, name: str) -> StatusError:
    """The object is of a later version than the request expects."""
    reason = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, reason)


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {resource_name(kind)} "{name}": {why}'
    return StatusError(409, "Conflict", message, details=resource_details(kind, name))


def forbidden(kind: Kind, name: str, why: str, *causes: Cause) -> StatusError:
    subject = f'{resource_name(kind)} "{name}"' if name else resource_name(kind)
    details = resource_details(kind, name)
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details=details, causes=causes)


def invalid(kind: str, group: str, name: str, faults: Iterable[Fault]) -> StatusError:
    """The object breaks the rules of its kind; each broken rule is a cause."""
    listed = [fault for fault in faults if fault.severity == "error"]
    text = ", ".join(str(fault) for fault in listed)
    subject = f"{kind}.{group}" if group else kind
    details = {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}
    message = f'{subject} "{name}" is invalid: {f"[{text}]" if len(listed) > 1 else text}'
    causes = [Cause(_cause_reason(fault.message), fault.message, fault.field) for fault in listed]
    return StatusError(422, "Invalid", message, details=details, causes=causes)


_CAUSES = {
    "Required value": "FieldValueRequired",
    "Duplicate value": "FieldValueDuplicate",
    "Unsupported value": "FieldValueNotSupported",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Not found": "FieldValueNotFound",
    "Internal error": "InternalError",
}


def _cause_reason(message: str) -> str:
    """The machine's word for a fault, which its message opens with."""
    return _CAUSES.get(message.partition(":")[0], "FieldValueInvalid")


def bad_option(options: str, field: str, message: str) -> StatusError:
    """A query parameter (or a field of `DeleteOptions`) that makes no sense."""
    return invalid(options, "meta.k8s.io", "", (Fault((field,), message),))


def unsupported_value(options: str, field: str, found: str, *supported: str) -> StatusError:
    listed = ", ".join(f'"{value}"' for value in supported)
    return bad_option(options, field, f"Unsupported value: {found}: supported values: {listed}")


def expired(message: str, continue_: str = "") -> StatusError:
    """History that the request needs is gone; the client has to list again, or goes on with what there is now."""
    return StatusError(410, "Expired", message, continue_=continue_)


def too_large_revision(asked: int, current: int) -> StatusError:
    details = {"retryAfterSeconds": 1}
    causes = (Cause("ResourceVersionTooLarge", "Too large resource version"),)
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return StatusError(504, "Timeout", message, details=details, causes=causes)


def of_change_error(error: ChangeError) -> StatusError:
    """Why the cluster refused changes, as an answer."""
    kind, name = BY_NAME[error.ref.kind], error.ref.name
    if isinstance(error, NotFound):
        return not_found(kind, name)
    if isinstance(error, AlreadyExists):
        return already_exists(kind, name)
    if isinstance(error, Conflict):
        return modified(kind, name)
    if isinstance(error, Unfit):
        return invalid(kind.name, kind.group, name, error.faults)
    if isinstance(error, Refused) and not isinstance(error, UsedUp):
        return StatusError(403, "Forbidden", str(error), details=resource_details(kind, name))
    return StatusError(500, "InternalError", f"Internal error occurred: {error}")
