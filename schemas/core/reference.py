"""References from one object to another."""

from schemas.meta import Object, Record


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


def reference_to(object_: Object) -> ObjectReference:
    """Names the object, and the version of it that is meant."""
    metadata = object_.metadata
    return ObjectReference(
        api_version=object_.api_version,
        kind=object_.kind,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


class TypedLocalObjectReference(Record, frozen=True):
    kind: str
    name: str
    api_group: str = ""


class TypedObjectReference(Record, frozen=True):
    kind: str
    name: str
    api_group: str = ""
    namespace: str = ""
