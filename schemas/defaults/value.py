"""Defaults of the small values that containers and volumes have in common. See `schemas.defaults`."""

from collections.abc import Mapping

from msgspec import structs

from schemas.core.container import ObjectFieldSelector, ResourceFieldSelector
from schemas.meta import Quantity
from schemas.quantity import canonical, canonical_resource


def pull_policy(image: str) -> str:
    """`Always` for an image whose tag is `latest` or left out, unless it is named by digest."""
    name, _, digest = image.partition("@")
    last = name.rsplit("/", 1)[-1]
    _, colon, tag = last.partition(":")
    return "Always" if tag == "latest" or not (colon or digest) else "IfNotPresent"


def resource_list(amounts: Mapping[str, Quantity]) -> dict[str, Quantity]:
    return {name: canonical_resource(amount) for name, amount in amounts.items()}


def field_ref(reference: ObjectFieldSelector | None) -> ObjectFieldSelector | None:
    if reference is None or reference.api_version:
        return reference
    return structs.replace(reference, api_version="v1")


def resource_field_ref(reference: ResourceFieldSelector | None) -> ResourceFieldSelector | None:
    if reference is None:
        return None
    return structs.replace(reference, divisor=canonical("0" if reference.divisor is None else reference.divisor))
