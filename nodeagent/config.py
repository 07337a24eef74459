"""The agent's configuration file."""

import re
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

import msgspec

from nodeagent.devices.declared import DeviceResource
from nodeagent.devices.declared import faults as device_faults
from nodeagent.images.settings import ImageCollection, Registries
from nodeagent.machine.settings import Keeping
from nodeagent.pods import sysctls
from schemas.configuration import BadConfiguration, BrokerAddress, Section, load
from schemas.core.node import Taint

ADDRESS = re.compile(r"([^:\s]*|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class IngressPorts(Section, frozen=True, kw_only=True):
    """Where the node's proxy listens, on every address."""

    http: int = 80
    https: int = 443


class NetworkSettings(Section, frozen=True, kw_only=True):
    """Of the pods' network, on this node."""

    cni: Literal["wherry", "existing"] = "wherry"
    """`existing`: pods are joined by the CNI configuration that containerd has already."""
    names: str = "169.254.20.10"
    """Where names are answered beside an existing one; elsewhere that is at the pods' gateway."""
    tunnels: Literal["vxlan", "wireguard"] = "vxlan"
    """To nodes that are on no link of this one."""

    def check(self, containerd: str) -> None:
        """Raises `BadConfiguration`."""
        if self.cni == "existing" and containerd == "own":
            raise BadConfiguration("network.cni: an own containerd has no CNI configuration but the agent's")
        if self.cni == "existing" and self.tunnels != "vxlan":
            raise BadConfiguration("network.tunnels: with `cni: existing` the ways to other nodes are not the agent's")
        try:
            ip_address(self.names)
        except ValueError:
            raise BadConfiguration(f"network.names: expected an address, found {self.names!r}") from None


class Config(Keeping, frozen=True, kw_only=True):
    """`nodeagent --config FILE`."""

    broker: BrokerAddress
    cluster: str = "default"
    node: str = ""
    """Empty: the machine's host name. It is the node's identity, whatever its address."""
    data: Path = Path("/var/lib/wherry/agent")
    run: Path = Path("/run/wherry/agent")
    """On memory: Secret volumes lie here."""
    containerd: str = "/run/containerd/containerd.sock"
    """The socket of the system's containerd, or `own`: the agent starts one under its data directory."""
    pause_image: str = "wherry.local/pause:1"
    """Of the own containerd; the system's has its own setting."""
    images: Path | None = None
    """A folder of image archives that are loaded when they appear."""
    parallel_pulls: int = 3
    registries: Registries = Registries()
    image_collection: ImageCollection = ImageCollection()
    address: str = ""
    """The node's address; empty: that of the default route."""
    bridge: str = "wherry0"
    """Of the pods, on the system's containerd; an own one has a bridge of its own name."""
    network: NetworkSettings = NetworkSettings()
    ingress: IngressPorts | None = None
    """With it the node runs an HAProxy that serves Ingresses."""
    stub_domains: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Name servers (`ADDRESS` or `ADDRESS#PORT`) of domains that the node's own servers do not know."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    devices: tuple[DeviceResource, ...] = ()
    """Extended resources that pods may ask for."""
    allowed_unsafe_sysctls: tuple[str, ...] = ()
    """Sysctls that pods may set beside the safe ones; a name may end in `*`."""
    pod_pids_limit: int = 0
    """Processes that one pod may have; 0: as many as the node."""
    metrics_seconds: float = 30
    metrics_address: str = ""
    """Where Prometheus asks for metrics, `HOST:PORT` or `:PORT`; empty: nowhere."""
    max_pods: int = 110


def load_config(path: Path) -> Config:
    """The file, with the node's name filled in. Raises `BadConfiguration`."""
    config = load(path, Config)
    name = config.node or socket.gethostname().lower()
    if not NAME.fullmatch(name):
        raise BadConfiguration(
            f"{path}: node: {name!r} is not a node name: use lower-case letters, digits, '-' and '.', "
            "beginning and ending with a letter or digit"
        )
    if fault := next(
        iter((*device_faults(config.devices), *sysctls.pattern_faults(config.allowed_unsafe_sysctls))), ""
    ):
        raise BadConfiguration(f"{path}: {fault}")
    _check_parts(path, config)
    try:
        config.eviction(), config.shutdown()
        if config.metrics_address and not ADDRESS.fullmatch(config.metrics_address):
            raise ValueError(f"metricsAddress: expected HOST:PORT or :PORT, found {config.metrics_address!r}")
    except ValueError as error:
        raise BadConfiguration(f"{path}: {error}") from None
    return msgspec.structs.replace(config, node=name)


def _check_parts(path: Path, config: Config) -> None:
    try:
        config.network.check(config.containerd)
        config.registries.check()
        config.image_collection.check()
        if config.parallel_pulls < 1:
            raise BadConfiguration(f"parallelPulls: expected at least 1, found {config.parallel_pulls}")
    except BadConfiguration as fault:
        raise BadConfiguration(f"{path}: {fault}") from None
