"""The reconciler's configuration file."""

from pathlib import Path

from reconciler.addresspools import LoadBalancerPool, pools
from reconciler.admission.services import NODE_PORTS, SERVICE_CIDR, ranges
from reconciler.controllers.nodeipam import networks
from reconciler.schedulerconfig import SchedulerConfig
from reconciler.source import Source, git_settings
from schemas.configuration import BadConfiguration, BrokerAddress, Section, load
from schemas.nodeloss import DEFAULT_LEASE, LONGEST_LEASE, SHORTEST_LEASE

MIN_AUDIT_BYTES = 64 * 1024


class EmbeddedBroker(Section, frozen=True, kw_only=True):
    """The broker inside the reconciler, for one box or a few nodes on a network that is trusted."""

    listen: str = "127.0.0.1:1883"
    username: str = "wherry"
    password_file: Path


class AuditLog(Section, frozen=True, kw_only=True):
    """Who asked what of the API, in lines of JSON. `keep` counts the full files beside the one being written."""

    file: Path
    max_bytes: int = 10 * 1024 * 1024
    keep: int = 3


class Api(Section, frozen=True, kw_only=True):
    listen: str = "127.0.0.1:6443"
    names: tuple[str, ...] = ()
    """Further host names and addresses that the certificate is made out to."""
    tokens_file: Path | None = None
    """Users by token, one a line: `token,user,uid,"group1,group2"`."""
    audit_log: AuditLog | None = None
    """Nothing is written without it: on an SD card each line costs."""

    @property
    def is_local(self) -> bool:
        """Whether none but this machine can reach it; pods cannot then either."""
        host = self.listen.rpartition(":")[0].strip("[]")
        return host in ("::1", "localhost") or host.startswith("127.")


class Prune(Section, frozen=True, kw_only=True):
    """A pass that would delete more than this share of the objects, and more than this number, waits for a word."""

    share: float = 0.5
    number: int = 10


class Config(Section, frozen=True, kw_only=True):
    """`reconciler --config FILE`."""

    manifests: Path | None = None
    """Short for `source: {folder: …}`."""
    source: Source | None = None
    cluster: str = "default"
    data: Path = Path("/var/lib/wherry/reconciler")
    broker: BrokerAddress | None = None
    embedded_broker: EmbeddedBroker | None = None
    api: Api = Api()
    prune: Prune = Prune()
    scheduler: SchedulerConfig = SchedulerConfig()
    toleration_seconds: int = 30
    """How long pods stay bound to a node that is away, where they do not say so themselves."""
    lease_seconds: int = DEFAULT_LEASE
    """How long a fenced pod runs on without word of the reconciler, where it does not say so itself."""
    node_eviction_seconds: float = 10
    """Between two lost nodes of a zone whose pods are evicted; 0 for no wait."""
    node_grace_seconds: float = 40
    """How long after its own start the reconciler waits for a node to say that it is there."""
    cluster_cidr: str = "10.244.0.0/16"
    """Where the addresses of pods come from: one network, or one of each family with a comma between."""
    service_cidr: str = SERVICE_CIDR
    """Where the addresses of Services come from: one network, or one of each family with a comma between."""
    service_node_ports: str = NODE_PORTS
    load_balancer_pools: tuple[LoadBalancerPool, ...] = ()
    """Addresses for Services of `type: LoadBalancer`, with the nodes on whose link they are."""

    @property
    def origin(self) -> Source:
        """The source, in whichever form it was written."""
        return self.source or Source(folder=self.manifests)

    @property
    def git_data(self) -> Path:
        """Where a followed repository lies."""
        return self.data / "git"

    @property
    def shown(self) -> str:
        """The source for people."""
        return self.origin.git or str(self.origin.folder)


def load_config(path: Path) -> Config:
    """Raises `BadConfiguration`."""
    config = load(path, Config)
    if (config.broker is None) == (config.embedded_broker is None):
        raise BadConfiguration(f"{path}: give either `broker:` (an external one) or `embeddedBroker:`")
    if (config.manifests is None) == (config.source is None):
        raise BadConfiguration(
            f"{path}: give either `manifests:` (a folder) or `source:` (a folder or a git repository)"
        )
    for field, listen in (("api.listen", config.api.listen), ("embeddedBroker.listen", _listen(config))):
        split_address(listen, f"{path}: {field}")
    if not SHORTEST_LEASE <= config.lease_seconds <= LONGEST_LEASE:
        raise BadConfiguration(f"{path}: leaseSeconds: must be between {SHORTEST_LEASE} and {LONGEST_LEASE}")
    if config.node_eviction_seconds < 0:
        raise BadConfiguration(f"{path}: nodeEvictionSeconds: must be 0 or more")
    audit = config.api.audit_log
    if audit is not None and (audit.max_bytes < MIN_AUDIT_BYTES or audit.keep < 0):
        raise BadConfiguration(f"{path}: api.auditLog: maxBytes must be {MIN_AUDIT_BYTES} or more, keep 0 or more")
    try:
        ranges(config.service_cidr, config.service_node_ports)
    except ValueError as error:
        raise BadConfiguration(f"{path}: serviceCidr, serviceNodePorts: {error}") from None
    try:
        networks(config.cluster_cidr)
    except ValueError as error:
        raise BadConfiguration(f"{path}: clusterCidr: {error}") from None
    try:
        pools(config.load_balancer_pools)
    except ValueError as error:
        raise BadConfiguration(f"{path}: loadBalancerPools: {error}") from None
    try:
        git_settings(config.origin)
        config.scheduler.profile()
    except BadConfiguration as error:
        raise BadConfiguration(f"{path}: {error}") from None
    return config


def _listen(config: Config) -> str:
    return config.embedded_broker.listen if config.embedded_broker else "127.0.0.1:0"


def split_address(text: str, where: str) -> tuple[str, int]:
    """`host:port`, IPv6 in brackets. Raises `BadConfiguration` naming `where`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadConfiguration(f"{where}: expected ADDRESS:PORT such as 127.0.0.1:6443, found {text!r}")
    return host.strip("[]"), int(port)


def cannot_listen(field: str, error: OSError) -> BadConfiguration:
    """For a server that does not get the address which this field names."""
    return BadConfiguration(f"{field}: {error.strerror}; stop what listens there, or choose another address")
