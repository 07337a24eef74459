"""Rules of environment variables and of references to a pod's own fields."""

import re
from collections.abc import Iterable

from schemas import names
from schemas.core.container import (
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from schemas.faults import Path
from schemas.quantity import canonical
from schemas.validation.report import Faults, invalid, required, unsupported, well_formed

_SUBSCRIPTED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)
_CONVERTIBLE = frozenset(
    (
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.phase",
        "status.podIP",
        "status.podIPs",
    )
)
_ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
FILE_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
"""What a file of a downward API volume may show."""

_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_DIVISORS = {
    "cpu": ("1m", "1"),
    "memory": ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
}
_DIVISORS["ephemeral-storage"] = _DIVISORS["memory"]


def variables(path: Path, declared: Iterable[EnvVar]) -> Faults:
    for index, variable in enumerate(declared):
        at = (*path, index)
        if not variable.name:
            yield required((*at, "name"))
        else:
            yield from well_formed((*at, "name"), variable.name, names.environment_name)
        if variable.value_from is not None:
            yield from _source((*at, "valueFrom"), variable)


def _source(path: Path, variable: EnvVar) -> Faults:
    source = variable.value_from
    assert source is not None
    references = (
        source.field_ref,
        source.resource_field_ref,
        source.config_map_key_ref,
        source.secret_key_ref,
        source.file_key_ref,
    )
    count = sum(reference is not None for reference in references)
    if count == 0:
        choices = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield invalid(path, "", f"must specify one of: {choices}")
    elif variable.value:
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif count > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")
    if source.field_ref:
        yield from field_ref((*path, "fieldRef"), source.field_ref, _ENV_FIELDS)
    if source.resource_field_ref:
        yield from resource_field_ref((*path, "resourceFieldRef"), source.resource_field_ref)
    if source.config_map_key_ref:
        yield from _key((*path, "configMapKeyRef"), source.config_map_key_ref)
    if source.secret_key_ref:
        yield from _key((*path, "secretKeyRef"), source.secret_key_ref)


def _key(path: Path, selector: ConfigMapKeySelector | SecretKeySelector) -> Faults:
    yield from well_formed((*path, "name"), selector.name, names.dns1123_subdomain)
    if not selector.key:
        yield required((*path, "key"))
    else:
        yield from well_formed((*path, "key"), selector.key, names.config_key)


def field_ref(path: Path, reference: ObjectFieldSelector, supported: tuple[str, ...]) -> Faults:
    field = reference.field_path
    if not field:
        yield required((*path, "fieldPath"))
    elif found := _SUBSCRIPTED.fullmatch(field):
        key = found[2].lower() if found[1] == "annotations" else found[2]
        yield from well_formed((*path, "fieldPath"), key, names.qualified_name)
    elif field not in _CONVERTIBLE:
        sentence = f"error converting fieldPath: field label not supported: {field}"
        yield invalid((*path, "fieldPath"), field, sentence)
    elif field not in supported:
        yield unsupported((*path, "fieldPath"), field, supported)


def resource_field_ref(path: Path, reference: ResourceFieldSelector, *, in_volume: bool = False) -> Faults:
    if in_volume and not reference.container_name:
        yield required((*path, "containerName"))
    if not reference.resource:
        yield required((*path, "resource"))
        return
    resource = reference.resource.partition(".")[2]
    if reference.resource not in _RESOURCES and not resource.startswith("hugepages-"):
        yield unsupported((*path, "resource"), reference.resource, _RESOURCES)
        return
    divisors = _DIVISORS.get(resource, _DIVISORS["memory"])
    divisor = canonical(reference.divisor or "0")
    if divisor not in ("0", *divisors):
        sentence = f"only divisor's values {_listed(divisors)} are supported with the {resource} resource"
        yield invalid((*path, "divisor"), divisor, sentence)


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join(words) if len(words) == 2 else ", ".join(words)


def sources(path: Path, declared: Iterable[EnvFromSource]) -> Faults:
    for index, source in enumerate(declared):
        at = (*path, index)
        if source.prefix:
            yield from well_formed((*at, "prefix"), source.prefix, names.environment_name)
        if source.config_map_ref is None and source.secret_ref is None:
            yield invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif source.config_map_ref is not None and source.secret_ref is not None:
            yield invalid(path, "", "may not have more than one field specified at a time")
        for field, reference in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
            if reference is not None and not reference.name:
                yield required((*at, field, "name"))
            elif reference is not None:
                yield from well_formed((*at, field, "name"), reference.name, names.dns1123_subdomain)
