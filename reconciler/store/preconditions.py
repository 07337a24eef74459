"""What a change takes for granted about the object it changes, checked against the one that is there."""

from reconciler.store.changes import Conflict, NotFound
from reconciler.store.view import View
from schemas.meta import Object, Ref


def present(view: View, ref: Ref, uid: str = "", resource_version: str = "") -> Object:
    """The object as it is. Raises `NotFound`, and `Conflict` where it is another one or another version."""
    found = view.find(ref)
    if found is None:
        raise NotFound(ref, f"{ref} not found")
    if uid and uid != found.metadata.uid:
        raise Conflict(
            ref,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found.metadata.uid}: "
            f"{ref} was deleted and made again; read it anew",
        )
    if resource_version and resource_version != found.metadata.resource_version:
        raise Conflict(
            ref,
            f"{ref} was seen at resourceVersion {resource_version} and is at "
            f"{found.metadata.resource_version or 'a newer one'}: the object has been modified; "
            "please apply your changes to the latest version and try again",
        )
    return found
