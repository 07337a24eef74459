"""The sandbox of a pod: host name, DNS, ports, namespaces; and its `/etc/hosts`.

https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from datetime import datetime

from nodeagent.devices.allocation import NOTHING, encoded
from nodeagent.pods.admission import USERS
from nodeagent.pods.confinement import has_strict_groups, selinux
from nodeagent.pods.fieldpaths import PodFacts, pod_ips
from nodeagent.pods.node import Directories, NodeFacts, Resolver
from nodeagent.pods.podcgroup import pod_cgroup
from nodeagent.pods.situation import spec_grace_seconds
from nodeagent.runtime.interface import PortMapping, SandboxConfig, UserRange
from schemas.core.pod import Pod
from schemas.core.security import PodSecurityContext

START_TIME = "wherry.dev/start-time"
GRACE = "wherry.dev/grace-seconds"
ALLOCATED = "wherry.dev/allocated"
"""Devices and users that the pod has been given; no other record is kept of them."""
POD_NAME, POD_NAMESPACE, POD_UID = "io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
"""The kubelet's labels, by which crictl and cAdvisor know pods."""
LONGEST_HOSTNAME = 63
CLUSTER_DOMAIN = "cluster.local"
MAX_SEARCHES = 32
"""Domains, as many as Kubernetes allows."""


def sandbox_config(facts: PodFacts, directories: Directories, attempt: int, start_time: datetime) -> SandboxConfig:
    pod = facts.pod
    meta, spec = pod.metadata, pod.spec
    rights = spec.security_context or PodSecurityContext()
    resolver = resolver_of(pod, facts.node)
    return SandboxConfig(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        attempt=attempt,
        hostname="" if spec.host_network else _host_name(pod),
        log_directory=directories.pod_logs(pod),
        dns_servers=resolver.servers,
        dns_searches=resolver.searches,
        dns_options=resolver.options,
        port_mappings=() if spec.host_network else _port_mappings(pod),
        labels=pod_labels(pod),
        annotations=_annotations(facts, start_time),
        sysctls={sysctl.name: sysctl.value for sysctl in rights.sysctls},
        host_network=spec.host_network,
        host_pid=spec.host_pid,
        host_ipc=spec.host_ipc,
        share_process_namespace=bool(spec.share_process_namespace),
        privileged=any(
            bool(one.security_context and one.security_context.privileged)
            for one in (*spec.init_containers, *spec.containers)
        ),
        run_as_user=rights.run_as_user,
        run_as_group=rights.run_as_group,
        supplemental_groups=groups_of(rights),
        strict_groups=has_strict_groups(pod),
        selinux=selinux(pod),
        cgroup=pod_cgroup(pod, facts.node),
        users=UserRange(facts.allocated.first_user, USERS) if facts.allocated.first_user else None,
    )


def _annotations(facts: PodFacts, start_time: datetime) -> dict[str, str]:
    kept = {START_TIME: start_time.isoformat(), GRACE: str(int(spec_grace_seconds(facts.pod)))}
    return kept if facts.allocated == NOTHING else kept | {ALLOCATED: encoded(facts.allocated)}


def pod_labels(pod: Pod) -> dict[str, str]:
    meta = pod.metadata
    return {POD_NAME: meta.name, POD_NAMESPACE: meta.namespace, POD_UID: meta.uid}


def groups_of(rights: PodSecurityContext) -> tuple[int, ...]:
    """The supplemental groups; whoever owns the volumes is one of them."""
    more = (rights.fs_group,) if rights.fs_group is not None else ()
    return (*more, *(group for group in rights.supplemental_groups if group not in more))


def host_and_domain(pod: Pod) -> tuple[str, str]:
    """The host name, and the domain where a `subdomain` gives one."""
    name = pod.spec.hostname or pod.metadata.name[:LONGEST_HOSTNAME].rstrip("-.")
    subdomain = pod.spec.subdomain
    return name, f"{subdomain}.{pod.metadata.namespace}.svc.{CLUSTER_DOMAIN}" if subdomain else ""


def _host_name(pod: Pod) -> str:
    if pod.spec.hostname_override:
        return pod.spec.hostname_override
    name, domain = host_and_domain(pod)
    return f"{name}.{domain}" if domain and pod.spec.set_hostname_as_fqdn else name


def resolver_of(pod: Pod, node: NodeFacts) -> Resolver:
    """By `dnsPolicy`: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy.

    On a node's own network `ClusterFirst` is that node's; and everywhere, where nobody answers names of the cluster.
    """
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "None":
        own = Resolver()
    elif not node.cluster_dns or policy == "Default" or (pod.spec.host_network and policy == "ClusterFirst"):
        own = node.resolver
    else:
        services = f"svc.{CLUSTER_DOMAIN}"
        searches = (f"{pod.metadata.namespace}.{services}", services, CLUSTER_DOMAIN, *node.resolver.searches)
        own = Resolver((node.cluster_dns,), tuple(dict.fromkeys(searches))[:MAX_SEARCHES], ("ndots:5",))
    more = pod.spec.dns_config
    if more is None:
        return own
    named = {option.name: f"{option.name}:{option.value}" if option.value else option.name for option in more.options}
    kept = tuple(option for option in own.options if option.partition(":")[0] not in named)
    return Resolver(
        tuple(dict.fromkeys((*own.servers, *more.nameservers))),
        tuple(dict.fromkeys((*own.searches, *more.searches))),
        (*kept, *named.values()),
    )


def _port_mappings(pod: Pod) -> tuple[PortMapping, ...]:
    return tuple(
        PortMapping(port.container_port, port.host_port, port.protocol or "TCP", port.host_ip)
        for container in (*pod.spec.init_containers, *pod.spec.containers)
        for port in container.ports
        if port.host_port
    )


_MANAGED = "# Kubernetes-managed hosts file"
"""How the kubelet begins it; programs look for it."""
_LOCAL_HOSTS = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hosts_file(facts: PodFacts) -> str:
    """The pod's `/etc/hosts`; on the host's network the node's own, with the pod's aliases."""
    pod = facts.pod
    if pod.spec.host_network:
        text = f"{_MANAGED} (host network).\n{facts.node.hosts_file}"
    else:
        name, domain = host_and_domain(pod)
        names = f"{name}.{domain}\t{name}" if domain else name
        text = f"{_MANAGED}.\n{_LOCAL_HOSTS}" + "".join(f"{ip}\t{names}\n" for ip in pod_ips(facts))
    if not text.endswith("\n"):
        text += "\n"
    return text + "".join("\t".join((alias.ip, *alias.hostnames)) + "\n" for alias in pod.spec.host_aliases)
