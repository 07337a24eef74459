"""The downward API: what a pod may know of itself, as environment or as files.

https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

import json
import re
from collections.abc import Mapping

import msgspec

from nodeagent.devices.allocation import NOTHING, Allocated
from nodeagent.pods.node import NodeFacts
from nodeagent.pods.resources import all_containers, resource_amount
from schemas.core.container import Container, ResourceFieldSelector
from schemas.core.pod import Pod
from schemas.quantity import milli, value

_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class FieldFault(ValueError):
    """A reference to something that a pod does not have. The text is for its status."""


class PodFacts(msgspec.Struct, frozen=True):
    """A pod with what only the node knows of it. `ips` are empty until its sandbox is there."""

    pod: Pod
    node: NodeFacts
    ips: tuple[str, ...] = ()
    allocated: Allocated = NOTHING


def field(path: str, facts: PodFacts) -> str:
    """The value of a `fieldRef`. Raises `FieldFault`."""
    pod = facts.pod
    keyed = _KEYED.fullmatch(path)
    if keyed:
        source = pod.metadata.labels if keyed[1] == "labels" else pod.metadata.annotations
        return source.get(keyed[2], "")
    match path:
        case "metadata.name":
            return pod.metadata.name
        case "metadata.namespace":
            return pod.metadata.namespace
        case "metadata.uid":
            return pod.metadata.uid
        case "metadata.labels":
            return _lines(pod.metadata.labels)
        case "metadata.annotations":
            return _lines(pod.metadata.annotations)
        case "spec.nodeName":
            return pod.spec.node_name or facts.node.name
        case "spec.serviceAccountName":
            return pod.spec.service_account_name
    return _address(path, facts)


def _address(path: str, facts: PodFacts) -> str:
    ips = pod_ips(facts)
    match path:
        case "status.hostIP":
            return facts.node.addresses[0] if facts.node.addresses else ""
        case "status.hostIPs":
            return ",".join(facts.node.addresses)
        case "status.podIP":
            return ips[0] if ips else ""
        case "status.podIPs":
            return ",".join(ips)
    raise FieldFault(f"unsupported fieldPath: {path}")


def pod_ips(facts: PodFacts) -> tuple[str, ...]:
    """Those of the sandbox; on the host's network, the node's."""
    return facts.ips or (facts.node.addresses if facts.pod.spec.host_network else ())


def resource(ref: ResourceFieldSelector, container: Container | None, facts: PodFacts) -> str:
    """The value of a `resourceFieldRef`, in its divisor and rounded up. Raises `FieldFault`.

    `container` is the one that asks; files name theirs by `containerName`.
    """
    named = next((one for one in all_containers(facts.pod) if one.name == ref.container_name), None)
    subject = named if ref.container_name else container
    if subject is None:
        raise FieldFault(f"container {ref.container_name} not found")
    try:
        amount, is_cpu = resource_amount(subject, ref.resource, facts.node)
        divisor = (milli if is_cpu else value)(ref.divisor or 1)
    except ValueError as error:
        raise FieldFault(str(error)) from None
    return str(-(-amount // (divisor or (1000 if is_cpu else 1))))


def _lines(values: Mapping[str, str]) -> str:
    """`key="value"`, sorted, one a line."""
    return "\n".join(f"{key}={json.dumps(values[key], ensure_ascii=False)}" for key in sorted(values))
