"""What the API server does with the script's writes: decoding, defaults, rules, and why it refuses."""

from typing import Any

import msgspec
from msgspec import structs

from reconciler.api.status import StatusError, bad_request, invalid, not_found, of_change_error
from reconciler.store.changes import Change, ChangeError, Create, Delete, Update, UpdateStatus
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.faults import Fault
from schemas.kinds import BY_NAME, KINDS, Kind
from schemas.meta import Object, Ref
from schemas.patch import merge_patch
from schemas.validation import validate, validate_update
from tests.oracles.controllers.mix import NAMESPACE, Json
from tests.unit.reconciler.controllers.world import World

_KINDS = {kind.plural: kind for kind in KINDS}


def target(path: str) -> tuple[Kind, Ref]:
    """What `plural/name` means; `NS` is the namespace of the case."""
    plural, name = path.split("/")
    kind = _KINDS[plural]
    name = name.replace("NS", NAMESPACE)
    return kind, Ref(kind.name, NAMESPACE if kind.namespaced else "", name)


class Server:
    """The front door of a world. Raises `StatusError`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._uids: dict[tuple[str, str], str] = {}

    def create(self, written: Json) -> Object:
        """A new object of the case."""
        kind = BY_NAME[written["kind"]]
        metadata = {**written.get("metadata", {})}
        if kind.namespaced:
            metadata["namespace"] = NAMESPACE
        if "ownerReferences" in metadata:
            metadata["ownerReferences"] = [self._owner(one) for one in metadata["ownerReferences"]]
        document = {**written, "apiVersion": kind.api_version, "metadata": metadata}
        status = document.pop("status", None)
        object_ = self._read(kind, document)
        self._refuse(kind, object_, validate(object_))
        self.apply(Create(object_))
        ref = Ref(kind.name, object_.metadata.namespace, object_.metadata.name)
        created = self._present(kind, ref)
        self._uids[kind.name, ref.name] = created.metadata.uid
        if status:
            self.apply(UpdateStatus(self._read(kind, {**msgspec.to_builtins(created), "status": status})))
        return created

    def _owner(self, reference: Json) -> Json:
        kind = BY_NAME[reference["kind"]]
        found = self.world.cache.find(Ref(kind.name, NAMESPACE if kind.namespaced else "", reference["name"]))
        known = self._uids.get((kind.name, reference["name"]), "made-up")
        uid = found.metadata.uid if found is not None else known
        return {"apiVersion": kind.api_version, "uid": uid, **reference}

    def patch(self, path: str, patch: Json, subresource: str = "") -> None:
        """A JSON merge patch."""
        kind, ref = target(path)
        present = self._present(kind, ref)
        given = self._read(kind, merge_patch(msgspec.to_builtins(present), patch))
        if subresource == "status":
            self._refuse(kind, given, validate_update(given, present))
            self.apply(UpdateStatus(given))
            return
        if hasattr(given, "status"):
            given = structs.replace(given, status=getattr(present, "status"))  # noqa: B009  # not every kind has one
        self._refuse(kind, given, (*validate_update(given, present), *validate(given)))
        self.apply(Update(given))

    def scale(self, path: str, replicas: int) -> None:
        self.patch(path, {"spec": {"replicas": replicas}})

    def delete(self, path: str, propagation: str | None) -> None:
        kind, ref = target(path)
        self._present(kind, ref)
        orphan, foreground = propagation == "Orphan", propagation == "Foreground"
        self.apply(Delete(ref, orphan=orphan, foreground=foreground, background=propagation == "Background"))

    def apply(self, change: Change) -> None:
        """One change, refused as the API does."""
        try:
            self.world.apply((change,))
        except ChangeError as error:
            raise of_change_error(error) from error

    def _present(self, kind: Kind, ref: Ref) -> Object:
        found = self.world.cache.find(ref)
        if found is None:
            raise not_found(kind, ref.name)
        return found

    @staticmethod
    def _read(kind: Kind, document: dict[str, Any]) -> Object:
        decoded = decode(kind, document)
        if decoded.object is None:
            raise bad_request("; ".join(map(str, decoded.faults)))
        return defaulted(decoded.object)

    @staticmethod
    def _refuse(kind: Kind, object_: Object, faults: tuple[Fault, ...]) -> None:
        if any(fault.severity == "error" for fault in faults):
            raise invalid(kind.name, kind.group, object_.metadata.name, faults)


def refusal(error: StatusError) -> Json:
    """As the recordings tell it."""
    message = error.message.replace(NAMESPACE, "NS")
    return {"code": error.code, "reason": error.reason or None, "message": message}
