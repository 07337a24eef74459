"""Rules of what every object has: name, labels, annotations, finalizers, owners."""

from collections.abc import Callable, Mapping

from schemas import names
from schemas.faults import Path
from schemas.meta import ObjectMeta, OwnerReference
from schemas.validation.report import Faults, forbidden, invalid, required, well_formed

LARGEST_ANNOTATIONS = 256 * 1024
"""Bytes of all annotations together."""

_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def metadata(meta: ObjectMeta, *, namespaced: bool, name_rule: Callable[[str], tuple[str, ...]]) -> Faults:
    path: Path = ("metadata",)
    if meta.generate_name:
        # The end is still to come, so a last dash is no fault.
        stem = meta.generate_name.removesuffix("-") if len(meta.generate_name) > 1 else meta.generate_name
        for complaint in name_rule(stem):
            yield invalid((*path, "generateName"), meta.generate_name, complaint)
    if meta.name:
        yield from well_formed((*path, "name"), meta.name, name_rule)
    elif not meta.generate_name:
        yield required((*path, "name"), "name or generateName is required")
    if meta.namespace:
        if namespaced:
            yield from well_formed((*path, "namespace"), meta.namespace, names.dns1123_label)
        else:
            yield forbidden((*path, "namespace"), "not allowed on this type")
    yield from labels((*path, "labels"), meta.labels)
    yield from annotations((*path, "annotations"), meta.annotations)
    for index, finalizer in enumerate(meta.finalizers):
        yield from finalizer_name((*path, "finalizers", index), finalizer)
    yield from _owners((*path, "ownerReferences"), meta.owner_references)


def labels(path: Path, pairs: Mapping[str, str]) -> Faults:
    for key, value in pairs.items():
        yield from well_formed(path, key, names.qualified_name)
        yield from well_formed(path, value, names.label_value)


def annotations(path: Path, pairs: Mapping[str, str]) -> Faults:
    size = 0
    for key, value in pairs.items():
        yield from well_formed(path, key.lower(), names.qualified_name)
        size += len(key.encode()) + len(value.encode())
    if size > LARGEST_ANNOTATIONS:
        yield invalid(path, f"{size} bytes", f"may not be more than {LARGEST_ANNOTATIONS} bytes")


def finalizer_name(path: Path, finalizer: str) -> Faults:
    complaints = names.qualified_name(finalizer)
    for complaint in complaints:
        yield invalid(path, finalizer, complaint)
    if not complaints and "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
        sentence = "name is neither a standard finalizer name nor is it fully qualified"
        yield invalid(path, finalizer, sentence)


def _owners(path: Path, owners: tuple[OwnerReference, ...]) -> Faults:
    controllers = [owner for owner in owners if owner.controller]
    for owner in owners:
        for field, value in (
            ("apiVersion", owner.api_version),
            ("kind", owner.kind),
            ("name", owner.name),
            ("uid", owner.uid),
        ):
            if not value:
                yield invalid((*path, field), "", "must not be empty")
    if len(controllers) > 1:
        first, second = controllers[:2]
        yield invalid(
            path,
            owners,
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{first.kind}/{first.name} and {second.kind}/{second.name}",
        )
