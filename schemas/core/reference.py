"""References from one object to another."""

from schemas.meta import Record


class LocalObjectReference(Record, frozen=True):
    name: str = ""


class ObjectReference(Record, frozen=True):
    api_version: str = ""
    field_path: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    uid: str = ""


class TypedLocalObjectReference(Record, frozen=True):
    kind: str
    name: str
    api_group: str = ""


class TypedObjectReference(Record, frozen=True):
    kind: str
    name: str
    api_group: str = ""
    namespace: str = ""
