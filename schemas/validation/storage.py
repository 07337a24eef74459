"""Rules of PersistentVolumeClaims and StorageClasses."""

from msgspec import structs

from schemas import names
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.reference import TypedLocalObjectReference, TypedObjectReference
from schemas.core.volume import PersistentVolumeClaimSpec
from schemas.faults import Fault, Path, field_name
from schemas.quantity import canonical, milli
from schemas.storage import StorageClass, TopologySelectorTerm
from schemas.validation.report import (
    IMMUTABLE,
    Faults,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
    unsupported,
    well_formed,
)
from schemas.validation.scheduling import label_selector

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_SPEC: Path = ("spec",)
_MOST_PARAMETERS = 512
_LARGEST_PARAMETERS = 256 * 1024


def persistent_volume_claim(declared: PersistentVolumeClaim) -> Faults:
    yield from claim_spec(_SPEC, declared.spec)


def claim_spec(path: Path, spec: PersistentVolumeClaimSpec) -> Faults:
    if not spec.access_modes:
        yield required((*path, "accessModes"), "at least 1 access mode is required")
    if spec.selector is not None:
        yield from label_selector((*path, "selector"), spec.selector)
    yield from access_modes((*path, "accessModes"), spec.access_modes)
    yield from _size(path, spec)
    if spec.storage_class_name:
        yield from well_formed((*path, "storageClassName"), spec.storage_class_name, names.dns1123_subdomain)
    yield from one_of((*path, "volumeMode"), spec.volume_mode, VOLUME_MODES)
    yield from _data_sources(path, spec)
    if spec.volume_attributes_class_name:
        at = (*path, "volumeAttributesClassName")
        yield from well_formed(at, spec.volume_attributes_class_name, names.dns1123_subdomain)


def access_modes(path: Path, modes: tuple[str, ...]) -> Faults:
    for mode in modes:
        if mode not in ACCESS_MODES:
            yield unsupported(path, mode, ACCESS_MODES)
    known = set(modes) & set(ACCESS_MODES)
    if "ReadWriteOncePod" in known and len(known) > 1:
        yield forbidden(path, "may not use ReadWriteOncePod with other access modes")


def _size(path: Path, spec: PersistentVolumeClaimSpec) -> Faults:
    at = (*path, "resources", "requests", "storage")
    written = f"{field_name((*path, 'resources'))}[storage]"
    for fault in _size_faults(at, spec):
        yield fault if fault.severity == "warning" else structs.replace(fault, written=written)


def _size_faults(path: Path, spec: PersistentVolumeClaimSpec) -> Faults:
    size = None if spec.resources is None else spec.resources.requests.get("storage")
    if size is None:
        yield required(path)
    elif milli(size) <= 0:
        yield invalid(path, canonical(size), "must be greater than zero")
    elif milli(size) % 1000:
        yield Fault(path, f'fractional byte value "{canonical(size)}" is invalid, must be an integer', "warning")


def _data_sources(path: Path, spec: PersistentVolumeClaimSpec) -> Faults:
    local, anywhere = spec.data_source, spec.data_source_ref
    if local is not None:
        yield from _source((*path, "dataSource"), local)
    if anywhere is not None:
        yield from _source((*path, "dataSourceRef"), anywhere)
        if anywhere.namespace:
            at = (*path, "dataSourceRef", "namespace")
            yield from well_formed(at, anywhere.namespace, names.dns1123_label)
    if local is None or anywhere is None:
        return
    if anywhere.namespace:
        sentence = "may not be specified when dataSourceRef.namespace is specified"
        yield invalid((*path, "dataSource"), local, sentence)
    elif (local.kind, local.name, local.api_group) != (anywhere.kind, anywhere.name, anywhere.api_group):
        yield invalid((*path, "dataSource"), local, "must match dataSourceRef")


def _source(path: Path, source: TypedLocalObjectReference | TypedObjectReference) -> Faults:
    for field, value in (("name", source.name), ("kind", source.kind)):
        if not value:
            yield required((*path, field))
    if source.api_group:
        yield from well_formed((*path, "apiGroup"), source.api_group, names.dns1123_subdomain)
    elif source.kind != "PersistentVolumeClaim":
        yield invalid(path, source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")


def persistent_volume_claim_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> Faults:
    """A claim may be bound, get a class where it had none, and grow; a bound one may change its attributes."""
    if _fixed(new, old) != _fixed(old, old):
        sentence = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield forbidden(_SPEC, sentence)
    size, before, capacity = (
        milli(amounts.get("storage", 0)) for amounts in (_requests(new.spec), _requests(old.spec), old.status.capacity)
    )
    if size < before and size <= capacity:
        at = (*_SPEC, "resources", "requests", "storage")
        fault = forbidden(at, "field can not be less than status.capacity")
        yield structs.replace(fault, written="spec.resources.requests.storage")
    if old.spec.volume_attributes_class_name and not new.spec.volume_attributes_class_name:
        at = (*_SPEC, "volumeAttributesClassName")
        yield forbidden(at, "update from non-nil value to nil is forbidden")


def _requests(spec: PersistentVolumeClaimSpec) -> dict[str, str | int | float]:
    return {} if spec.resources is None else spec.resources.requests


def _fixed(claim: PersistentVolumeClaim, old: PersistentVolumeClaim) -> PersistentVolumeClaimSpec:
    """What of the claim has to stay as it was."""
    spec, before = claim.spec, old.spec
    if not before.volume_name:
        spec = structs.replace(spec, volume_name="")
    if before.storage_class_name is None:
        spec = structs.replace(spec, storage_class_name=None)
    if old.status.phase == "Bound":
        spec = structs.replace(spec, volume_attributes_class_name="")
        if spec.resources is not None:
            requests = {**spec.resources.requests, "storage": 0}
            spec = structs.replace(spec, resources=structs.replace(spec.resources, requests=requests))
    return spec


def storage_class(declared: StorageClass) -> Faults:
    if not declared.provisioner:
        yield required(("provisioner",))
    else:
        for complaint in names.qualified_name(declared.provisioner.lower()):
            yield invalid(("provisioner",), declared.provisioner, complaint)
    yield from _parameters(declared.parameters)
    yield from one_of(("reclaimPolicy",), declared.reclaim_policy, ("Delete", "Retain"))
    yield from one_of(("volumeBindingMode",), declared.volume_binding_mode, ("Immediate", "WaitForFirstConsumer"))
    for index, term in enumerate(declared.allowed_topologies):
        path = ("allowedTopologies", index)
        if term in declared.allowed_topologies[:index]:
            yield duplicate((*path, "matchLabelExpressions"), "")
        yield from _topology((*path, "matchLabelExpressions"), term)


def _parameters(parameters: dict[str, str]) -> Faults:
    path = ("parameters",)
    if len(parameters) > _MOST_PARAMETERS:
        yield too_long(path, _MOST_PARAMETERS)
        return
    if "" in parameters:
        yield invalid(path, "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _LARGEST_PARAMETERS:
        yield too_long(path, _LARGEST_PARAMETERS)


def _topology(path: Path, term: TopologySelectorTerm) -> Faults:
    seen: set[str] = set()
    for index, requirement in enumerate(term.match_label_expressions):
        at = (*path, index)
        if not requirement.values:
            yield required((*at, "values"))
        for position, value in enumerate(requirement.values):
            if value in requirement.values[:position]:
                yield duplicate((*at, "values", position), value)
        yield from well_formed((*at, "key"), requirement.key, names.qualified_name)
        if requirement.key in seen:
            yield duplicate((*at, "key"), requirement.key)
        seen.add(requirement.key)


def storage_class_update(new: StorageClass, old: StorageClass) -> Faults:
    """How volumes are made is fixed; whether they may grow is not."""
    for field, value, before in (
        ("provisioner", new.provisioner, old.provisioner),
        ("parameters", new.parameters, old.parameters),
        ("reclaimPolicy", new.reclaim_policy, old.reclaim_policy),
        ("volumeBindingMode", new.volume_binding_mode, old.volume_binding_mode),
    ):
        if value != before:
            yield invalid((field,), value, IMMUTABLE)
