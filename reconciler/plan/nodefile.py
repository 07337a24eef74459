"""A file of nodes as Node objects: what `kubectl get nodes -o yaml` prints, or a few words written by hand.

Pure. A node of which nothing else is said is Ready and takes 110 pods:

    nodes:
      hall: {cpu: 4, memory: 4Gi, labels: {room: hall}, taints: ["camera=yes:NoSchedule"], images: {"web:1": 12Mi}}
      edge: {count: 20, cpu: 2, memory: 1Gi}     # edge-1 … edge-20
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from reconciler.manifests.parse import Value, parse
from schemas import conditions
from schemas.core.node import ContainerImage, Node, NodeCondition, NodeSpec, NodeStatus, Taint
from schemas.meta import ObjectMeta, Quantity
from schemas.quantity import value

MOST = 5_000
HOSTNAME = "kubernetes.io/hostname"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class BadNodes(ValueError):
    """The file is not one of nodes. The text says where and what is expected."""


class _Short(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cpu: Quantity
    memory: Quantity
    pods: int = 110
    count: int | None = None
    labels: dict[str, str] = {}
    taints: tuple[str, ...] = ()
    images: dict[str, Quantity | None] = {}
    resources: dict[str, Quantity] = {}
    """Others that it has, such as `ephemeral-storage` or a device."""


def nodes(name: str, content: bytes, now: datetime) -> tuple[Node, ...]:
    """All nodes of the file `name`. Raises `BadNodes`."""
    parsed = parse(content, json_only=name.endswith(".json"))
    problems = [*([parsed.refused] if parsed.refused else []), *(p for one in parsed.documents for p in one.problems)]
    if problems:
        raise BadNodes(f"{name}:{problems[0].line}: {problems[0].message}")
    found = [node for one in parsed.documents for node in _of_document(f"{name}:{one.line}", one.data)]
    if not found:
        raise BadNodes(
            f"{name}: there are no nodes in it; give Node objects, or `nodes: {{NAME: {{cpu: 4, memory: 4Gi}}}}`"
        )
    if len(found) > MOST:
        raise BadNodes(f"{name}: {len(found)} nodes are more than the {MOST} that a plan takes")
    (twice, times), *_ = Counter(node.metadata.name for node in found).most_common(1)
    if times > 1:
        raise BadNodes(f"{name}: the node {twice} is there twice; give each a name of its own")
    return tuple(_there(node, now) for node in found)


def _of_document(where: str, data: Value) -> Iterator[Node]:
    if not isinstance(data, dict):
        raise BadNodes(f"{where}: expected Node objects or a mapping `nodes:`")
    if data.get("kind") == "Node":
        node = _converted(where, data, Node)
        if not node.metadata.name:
            raise BadNodes(f"{where}: metadata.name is missing; every node has one")
        yield node
    elif isinstance(short := data.get("nodes"), dict) and len(data) == 1:
        for name, entry in short.items():
            yield from _written(
                f"{where}: nodes.{name}", str(name), _converted(f"{where}: nodes.{name}", entry, _Short)
            )
    else:
        raise BadNodes(f"{where}: expected an object of kind Node or a mapping `nodes:`, found {_what(data)}")


def _what(data: dict[str, Any]) -> str:
    return f"the kind {data['kind']}" if "kind" in data else f"the keys {', '.join(map(str, data))}"


def _converted(where: str, data: Value, type_: Any) -> Any:  # noqa: ANN401 - as msgspec has it
    try:
        return msgspec.convert(data, type_, strict=False)
    except msgspec.ValidationError as error:
        raise BadNodes(f"{where}: {error}") from None


def _written(where: str, name: str, short: _Short) -> Iterator[Node]:
    sizes = {"cpu": short.cpu, "memory": short.memory, "pods": str(short.pods)} | short.resources
    for resource, amount in sizes.items():
        _checked(f"{where}.{resource}", amount)
    taints = tuple(_taint(f"{where}.taints", text) for text in short.taints)
    images = tuple(
        ContainerImage((image,), None if size is None else _checked(f"{where}.images", size))
        for image, size in short.images.items()
    )
    for each in (
        [name] if short.count is None else [f"{name}-{number}" for number in range(1, min(short.count, MOST + 1) + 1)]
    ):
        yield Node(
            metadata=ObjectMeta(name=each, labels={HOSTNAME: each} | short.labels),
            spec=NodeSpec(taints=taints),
            status=NodeStatus(allocatable=sizes, capacity=sizes, images=images),
        )


def _checked(where: str, amount: Quantity) -> int:
    try:
        return value(amount)
    except ValueError as error:
        raise BadNodes(f"{where}: {error}") from None


def _taint(where: str, text: str) -> Taint:
    key, colon, effect = text.rpartition(":")
    key, _, value = key.partition("=")
    if not colon or not key or effect not in _EFFECTS:
        raise BadNodes(f"{where}: expected KEY=VALUE:EFFECT with one of {', '.join(_EFFECTS)}, found {text!r}")
    return Taint(effect=effect, key=key, value=value)


def _there(node: Node, now: datetime) -> Node:
    """With what every node of a cluster has; one that says that it is not Ready is taken at its word."""
    metadata = node.metadata
    if not metadata.uid:
        metadata = replace(metadata, uid=f"node-{metadata.name}", creation_timestamp=now)
    status = node.status
    if conditions.find(status.conditions, "Ready") is None:
        ready = NodeCondition("True", "Ready", last_transition_time=now)
        status = replace(status, conditions=(*status.conditions, ready))
    return replace(node, metadata=metadata, status=status)
