"""What the API server fills in where a LimitRange or a ResourceQuota leaves a field out. See `schemas.defaults`."""

from msgspec import structs

from schemas.core.quota import LimitRange, LimitRangeItem, ResourceQuota
from schemas.defaults.value import resource_list


def limit_range(declared: LimitRange) -> LimitRange:
    limits = tuple(_item(item) for item in declared.spec.limits)
    return structs.replace(declared, spec=structs.replace(declared.spec, limits=limits))


def _item(item: LimitRangeItem) -> LimitRangeItem:
    """A container's limit is the most it may have, and its request the limit, or else the least."""
    most, least = resource_list(item.max), resource_list(item.min)
    limit, request = resource_list(item.default), resource_list(item.default_request)
    if item.type == "Container":
        limit = most | limit
        request = least | limit | request
    return structs.replace(
        item,
        max=most,
        min=least,
        default=limit,
        default_request=request,
        max_limit_request_ratio=resource_list(item.max_limit_request_ratio),
    )


def resource_quota(declared: ResourceQuota) -> ResourceQuota:
    status = declared.status
    return structs.replace(
        declared,
        spec=structs.replace(declared.spec, hard=resource_list(declared.spec.hard)),
        status=structs.replace(status, hard=resource_list(status.hard), used=resource_list(status.used)),
    )
