"""MQTT topics and payloads between reconciler and agents, version `v1`.

Everything lies under `wherry/v1/<cluster>/`. Within `v1` fields are only added, and unknown ones are ignored.
The digest is the truth and bodies are only its content: a body that the digest does not name is not run, a pod
that it no longer names is stopped. Payloads are JSON, so that `mosquitto_sub` is a debugger.
"""

import hashlib
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import field

from schemas.core.node import NodeStatus, Taint
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from schemas.core.volume import HostPathVolumeSource, NFSVolumeSource
from schemas.meta import Record

VERSION = "v1"
MAX_PAYLOAD = 4 * 1024 * 1024
"""Bytes. A larger payload is refused by both sides: a node must not be able to fill the other's memory."""


LEASE_ASKED, LEASE_GRANTED = "lease/asked", "lease/granted"
"""Below a node's own topic, not retained; only spoken on while the node holds pods that are fenced."""


class Topics:
    """The topics of one node of one cluster."""

    def __init__(self, cluster: str, node: str) -> None:
        self.root = f"wherry/{VERSION}/{cluster}/nodes/{node}"
        self.desired = f"{self.root}/desired"
        self.status = f"{self.root}/status"
        self.online = f"{self.root}/online"
        self.events = f"{self.root}/events"
        self.metrics = f"{self.root}/metrics"
        self.lease_asked = f"{self.root}/{LEASE_ASKED}"
        self.lease_granted = f"{self.root}/{LEASE_GRANTED}"

    def desired_pod(self, uid: str) -> str:
        return f"{self.desired}/pods/{uid}"

    def desired_config(self, key: str) -> str:
        """`key` is that of `config_key`."""
        return f"{self.desired}/config/{key}"

    def pod_status(self, uid: str) -> str:
        return f"{self.status}/pods/{uid}"

    def rpc_down(self, id_: str) -> str:
        """What the reconciler says on a stream; see `schemas.rpc`."""
        return f"{self.root}/rpc/{id_}/down"

    def rpc_up(self, id_: str) -> str:
        """What the agent says on it."""
        return f"{self.root}/rpc/{id_}/up"


def reconciler_online(cluster: str) -> str:
    """Retained: `1` while a reconciler listens, and `0` by its last will. What is not retained was lost meanwhile."""
    return f"wherry/{VERSION}/{cluster}/reconciler/online"


def split_topic(topic: str) -> tuple[str, str, str] | None:
    """`(cluster, node, rest)` of a topic under a node, or None for any other."""
    parts = topic.split("/", 5)
    if len(parts) != 6 or parts[0] != "wherry" or parts[1] != VERSION or parts[3] != "nodes":
        return None
    return parts[2], parts[4], parts[5]


def rpc_id(rest: str, direction: Literal["up", "down"]) -> str | None:
    """The stream of a topic below a node (`split_topic`), or None for any other."""
    match rest.split("/"):
        case ["rpc", id_, way] if way == direction:
            return id_
    return None


IMAGE_PRESENT, IMAGE_PULLING, IMAGE_FAILED = "present", "pulling", "failed"
"""How an image that is wanted ahead of its pods stands; after the last there is a colon, and why."""


class WantedImage(Record, frozen=True):
    """An image that is to be on a node apart from its pods, and the Secrets (config keys) that it may be pulled with.

    Without `fetch` it is only to be kept where it is there: a roll-back would need it.
    """

    fetch: bool = False
    secrets: tuple[str, ...] = ()


RUNTIME_CLASS: Final = "RuntimeClass"
HANDLER = "handler"


class Digest(Record, frozen=True):
    """`desired` (retained): everything that the node shall hold, by name and version.

    `store` names the life of the reconciler's store; revisions grow only within one. `pods` maps uid to
    `metadata.generation`, `configs` the key of each ConfigMap, Secret and claim in use to the hash of its content.
    `pod_cidr`: the node's range of pod addresses, or one of each family with a comma between. `discard` maps the
    uid of each volume that is deleted to its directory, which the node shall remove. `images` are those that the node
    shall have, or keep, apart from what its pods use. `labels` are the node's in the cluster, by which it holds new
    pods against their selectors.
    """

    store: str
    revision: int
    pods: dict[str, int] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    pod_cidr: str = field(default="", name="podCIDR")
    discard: dict[str, str] = field(default_factory=dict)
    images: dict[str, WantedImage] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


class Assignment(Record, frozen=True):
    """`desired/pods/<uid>` (retained): a pod as the node shall run it (its `status` is left empty).

    A pod that shall end is still assigned, with `metadata.deletionTimestamp` and the grace period set, until
    the agent has reported it removed.
    """

    pod: Pod
    commit: str = ""


class ClaimedVolume(Record, frozen=True, kw_only=True):
    """The PersistentVolume that a claim is bound to, as its node mounts it: one of the three sources.

    `local` is a directory on the node, made there if it is `provisioned` and not there yet; a device with `block`.
    """

    name: str
    local: str = ""
    provisioned: bool = False
    block: bool = False
    host_path: HostPathVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    mount_options: tuple[str, ...] = ()


class Config(Record, frozen=True):
    """`desired/config/<kind>/<namespace>/<name>` (retained): content of a ConfigMap or Secret, or a claim's volume.

    Of the kind `Token` it holds the tokens of one pod, whose uid is the name; see `schemas.podtokens`. A RuntimeClass
    is in no namespace, and has its `handler`.
    """

    kind: Literal["ConfigMap", "Secret", "PersistentVolumeClaim", "RuntimeClass", "Token"]
    namespace: str
    name: str
    data: dict[str, bytes] = field(default_factory=dict)
    volume: ClaimedVolume | None = None

    @property
    def key(self) -> str:
        return config_key(self.kind, self.namespace, self.name)

    def content_hash(self) -> str:
        """What the digest names this content by."""
        content = self.volume if self.volume is not None else sorted(self.data.items())
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def config_key(kind: str, namespace: str, name: str) -> str:
    """`configmap/<namespace>/<name>`, `secret/…`, `persistentvolumeclaim/…` or `token/…`."""
    return f"{kind.lower()}/{namespace}/{name}"


class NodeReport(Record, frozen=True, kw_only=True):
    """`status` (retained): the node, and the digest that it has taken on.

    `epoch` grows with every start of the agent. `applied_store` and `applied_revision` acknowledge the last
    digest of which every body is on the node's disk. `discarded` are the uids of those volumes that the digest tells
    to discard of which nothing is on the node. `images` says how each image stands that the digest has the node fetch;
    an agent that fetches none says nothing of them. `sent_at` is the node's clock. `public_key` is that of its
    WireGuard device, where it has one.
    """

    epoch: int
    sent_at: datetime
    applied_store: str = ""
    applied_revision: int = 0
    status: NodeStatus
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    agent_version: str = ""
    discarded: tuple[str, ...] = ()
    images: dict[str, str] | None = None
    public_key: str = ""


class PodReport(Record, frozen=True, kw_only=True):
    """`status/pods/<uid>` (retained): a pod as it is on the node.

    `generation` is that of the assignment which the status answers. `removed`: nothing of the pod is left on
    the node and nothing of it will start again; the reconciler may forget the pod.
    """

    epoch: int
    generation: int
    namespace: str
    name: str
    status: PodStatus
    removed: bool = False


class NodeEvent(Record, frozen=True, kw_only=True):
    """Something that happened to a pod (`uid` set) or to the node itself, already counted up by the agent."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    field_path: str = ""
    first: datetime
    last: datetime
    count: int = 1


class EventBatch(Record, frozen=True):
    """`events`."""

    epoch: int
    events: tuple[NodeEvent, ...]


class Usage(Record, frozen=True):
    """CPU in nanocores (averaged since the report before), memory (working set) in bytes."""

    cpu_nanocores: int
    memory_bytes: int


class PodUsage(Record, frozen=True):
    uid: str
    containers: dict[str, Usage]


class MetricsBatch(Record, frozen=True):
    """`metrics`: what node and pods use."""

    epoch: int
    taken_at: datetime
    window_seconds: float
    node: Usage
    pods: tuple[PodUsage, ...] = ()


class LeaseRequest(Record, frozen=True):
    """`lease/asked`: an agent asks for word. `number` grows with each request of an epoch."""

    epoch: int
    number: int


class LeaseGrant(Record, frozen=True):
    """`lease/granted`: word for the request of that number; the lease counts from when that was asked.

    It holds for a node that has accepted the digest of this store and revision, or a newer one: an older digest may
    name pods that run elsewhere by now.
    """

    epoch: int
    number: int
    store: str
    revision: int


T = TypeVar("T")


class BadMessage(ValueError):
    """A payload that is not what its topic promises. The text says why, and never holds the payload."""


def decode(payload: bytes, type_: type[T]) -> T:
    """The payload as `type_`. Raises `BadMessage`."""
    if len(payload) > MAX_PAYLOAD:
        raise BadMessage(f"{type_.__name__}: {len(payload)} bytes, more than {MAX_PAYLOAD}")
    try:
        return msgspec.json.decode(payload, type=type_)
    except msgspec.DecodeError as error:
        raise BadMessage(f"{type_.__name__}: {error}") from None


encode = msgspec.json.Encoder().encode
