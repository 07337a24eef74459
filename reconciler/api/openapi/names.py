"""How OpenAPI names a type: `apps/v1.DeploymentSpec` is `io.k8s.api.apps.v1.DeploymentSpec`. Pure."""

from reconciler.api.protofields import known
from schemas.meta import Record

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SPECIAL = {
    "time": f"{_META}.Time",
    "microtime": f"{_META}.MicroTime",
    "quantity": "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "intorstring": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "fields": f"{_META}.FieldsV1",
    "raw": "io.k8s.apimachinery.pkg.runtime.RawExtension",
}
"""Types that are no records in JSON, as `protofields` calls them."""
_GROUPS = {
    "apps": "apps/v1",
    "autoscaling": "autoscaling/v2",
    "autoscalingv1": "autoscaling/v1",
    "batch": "batch/v1",
    "certificates": "certificates.k8s.io/v1",
    "coordination": "coordination.k8s.io/v1",
    "core": "v1",
    "csi": "storage.k8s.io/v1",
    "discovery": "discovery.k8s.io/v1",
    "events": "events.k8s.io/v1",
    "meta": "meta",
    "networking": "networking.k8s.io/v1",
    "node": "node.k8s.io/v1",
    "policy": "policy/v1",
    "rbac": "rbac.authorization.k8s.io/v1",
    "scheduling": "scheduling.k8s.io/v1",
    "storage": "storage.k8s.io/v1",
}
"""Module of `schemas` → what its types are named by."""


def message_of(record: type[Record]) -> str:
    """The type as `protofields` names it. What several groups share is of the core group."""
    named = f"{_GROUPS[record.__module__.split('.')[1]]}.{record.__name__}"
    return named if named in known() else f"v1.{record.__name__}"


def definition(message: str) -> str:
    """The type as OpenAPI names it."""
    if message in _SPECIAL:
        return _SPECIAL[message]
    place, _, name = message.rpartition(".")
    if place == "meta":
        return f"{_META}.{name}"
    group, _, version = place.rpartition("/")
    return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{name}"
