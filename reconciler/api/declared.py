"""What the folder has declared is not for others to change through the API.

Pure. A refusal names the file, the line and the commit, and what to do instead. Fields that the manifest leaves out
are free; status, evictions and bindings are never refused.
"""

import msgspec
from msgspec import structs

from reconciler.api.status import Cause, StatusError, resource_details, resource_name
from reconciler.manifests.ownership import is_ours, owned_fields
from reconciler.provenance import COMMIT, SOURCE, provenance, without_provenance
from schemas.fieldowners import changes
from schemas.fieldsets import FieldSet, intersection, members, path_text, union
from schemas.kinds import BY_NAME
from schemas.meta import Object

_MOST = 8
"""Fields named in a message; the causes name them all."""


def refuse(present: Object, new: Object, subresource: str = "") -> None:
    """Raises the 409 where the new version has another value in a field that the folder declares.

    Of a scale its reason is `Forbidden`: for five minutes kubectl would try again what calls itself a `Conflict`.
    """
    owned = owned_fields(present)
    if not owned or new is present:
        return
    changed, removed = changes(type(present), msgspec.to_builtins(present), msgspec.to_builtins(new))
    if found := intersection(owned, union(changed, removed)):
        raise _refusal(present, found, "Forbidden" if subresource == "scale" else "Conflict")


def _refusal(present: Object, found: FieldSet, reason: str) -> StatusError:
    kind, name = BY_NAME[present.kind], present.metadata.name
    fields = [path_text(path) for path in members(found)]
    named = ", ".join(fields[:_MOST]) + (f" and {len(fields) - _MOST} more" if len(fields) > _MOST else "")
    is_one = len(fields) == 1
    message = (
        f'Operation cannot be fulfilled on {resource_name(kind)} "{name}": {named} '
        f"{'is' if is_one else 'are'} declared in {place(present)}: change {'it' if is_one else 'them'} there, "
        f"or take {'it' if is_one else 'them'} out of the manifest to leave {'it' if is_one else 'them'} to others"
    )
    causes = [Cause("FieldManagerConflict", f"declared in {place(present)}", field) for field in fields]
    return StatusError(409, reason, message, details=resource_details(kind, name), causes=causes)


def place(object_: Object) -> str:
    """`apps/web.yaml:12 (commit 1a2b3c4)`."""
    source = object_.metadata.annotations.get(SOURCE) or "the folder"
    commit = object_.metadata.annotations.get(COMMIT, "")
    return f"{source} (commit {commit[:12]})" if commit else source


def put_back(present: Object) -> tuple[str, ...]:
    """What is to be said to one who deletes the object."""
    if owned_fields(present) is None:
        return ()
    what = f"{present.kind} {present.metadata.name} is declared in {place(present)}"
    return (f"{what}, and will be made again: take it out of the folder to be rid of it",)


def kept(new: Object, present: Object) -> Object:
    """The new version with what the folder alone writes about an object, whatever the writer made of it."""
    own = tuple(entry for entry in present.metadata.managed_fields if is_ours(entry))
    metadata = new.metadata
    entries, annotations = metadata.managed_fields, metadata.annotations
    if tuple(entry for entry in entries if is_ours(entry)) != own:
        entries = (*own, *(entry for entry in entries if not is_ours(entry)))
    if own and provenance(new) != provenance(present):
        annotations = without_provenance(annotations) | provenance(present)
    if entries is metadata.managed_fields and annotations is metadata.annotations:
        return new
    return structs.replace(new, metadata=structs.replace(metadata, annotations=annotations, managed_fields=entries))
