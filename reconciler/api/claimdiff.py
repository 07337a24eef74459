"""What changed in a claim, as the API server tells it: a unified diff of the claim in Go's words. Pure.

kubectl prints it below the refusal, and it is the only thing there that names the field.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from typing import Any

import msgspec
from msgspec import structs

from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.reference import TypedLocalObjectReference, TypedObjectReference
from schemas.core.volume import PersistentVolumeClaimSpec
from schemas.faults import Fault
from schemas.meta import Object, Quantity
from schemas.quantity import canonical

_CONTEXT = 3
_IMMUTABLE = "Forbidden: spec is immutable"


def explained(faults: Iterable[Fault], new: Object, present: Object) -> Iterator[Fault]:
    """The faults; that of a claim that may not change so, with what changed."""
    if not isinstance(new, PersistentVolumeClaim) or not isinstance(present, PersistentVolumeClaim):
        yield from faults
        return
    for fault in faults:
        if fault.message.startswith(_IMMUTABLE):
            yield structs.replace(fault, message=f"{fault.message}\n{_diff(present, new)}")
        else:
            yield fault


def _diff(old: PersistentVolumeClaim, new: PersistentVolumeClaim) -> str:
    """The lines that differ, with those around them."""
    before, after = _go(old.spec), _go(new.spec)
    if old.status.phase == "Bound":  # what may change then is not told
        before["VolumeAttributesClassName"] = after["VolumeAttributesClassName"] = None
        if after["Resources"]["Requests"] and before["Resources"]["Requests"]:
            after["Resources"]["Requests"]["storage"] = before["Resources"]["Requests"]["storage"]
    lines = list(unified_diff(_lines(before), _lines(after), n=_CONTEXT, lineterm=""))
    return "".join(f"{line}\n" for line in lines[2:])


def _lines(spec: Mapping[str, Any]) -> Sequence[str]:
    return json.dumps(spec, indent=1, ensure_ascii=False).splitlines()


def _go(spec: PersistentVolumeClaimSpec) -> dict[str, Any]:
    """The fields in Go's order; what is absent is null there."""
    resources = spec.resources
    return {
        "AccessModes": list(spec.access_modes) or None,
        "Selector": None if spec.selector is None else msgspec.to_builtins(spec.selector),
        "Resources": {
            "Limits": _amounts({} if resources is None else resources.limits),
            "Requests": _amounts({} if resources is None else resources.requests),
        },
        "VolumeName": spec.volume_name,
        "StorageClassName": spec.storage_class_name,
        "VolumeMode": spec.volume_mode or None,
        "DataSource": _source(spec.data_source),
        "DataSourceRef": _source(spec.data_source_ref),
        "VolumeAttributesClassName": spec.volume_attributes_class_name or None,
    }


def _amounts(amounts: Mapping[str, Quantity]) -> dict[str, str] | None:
    return {name: canonical(amount) for name, amount in sorted(amounts.items())} or None


def _source(source: TypedLocalObjectReference | TypedObjectReference | None) -> dict[str, Any] | None:
    if source is None:
        return None
    told = {"APIGroup": source.api_group or None, "Kind": source.kind, "Name": source.name}
    return told | ({"Namespace": source.namespace or None} if isinstance(source, TypedObjectReference) else {})
