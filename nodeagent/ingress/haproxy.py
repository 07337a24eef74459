"""HAProxy's configuration, from the sites and certificates: pure.

HAProxy, because it is small (10 to 20 MiB), is in Debian for arm64 and armv7, needs no API server to know what to do,
and hands its listening sockets over when it is reloaded, so that no connection is refused. Endpoints come and go in
the kernel's rules of the Service and reload nothing. https://docs.haproxy.org/2.6/configuration.html
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from nodeagent.ingress.sites import ANY, Backend, Sites

NOBODY = "no-backend"


class Ports(msgspec.Struct, frozen=True):
    """Where the proxy listens, on every address of the node."""

    http: int
    https: int


class Certificate(msgspec.Struct, frozen=True):
    """`pem`: certificate, chain and key. `hosts`: for whom; empty for those that it names itself."""

    name: str
    pem: str
    hosts: tuple[str, ...] = ()


def files(
    sites: Sites, certificates: Sequence[Certificate], ports: Ports, directory: Path, user: str
) -> dict[str, str]:
    """All files by their name in the directory."""
    found = {
        "haproxy.cfg": _configuration(sites, bool(certificates), ports, directory, user),
        "hosts.map": _map(sites.hosts),
        "exact.map": _map(sites.exact),
        "prefix.map": _map(sites.prefix),
    }
    if certificates:
        found["certificates.list"] = "".join(_listed(one, directory) for one in certificates)
        found |= {f"{one.name}.pem": one.pem for one in certificates}
    return found


def _map(entries: Mapping[str, str]) -> str:
    """Paths of an Ingress have no white space: Kubernetes' validation sees to that."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def _listed(certificate: Certificate, directory: Path) -> str:
    hosts = "".join(f" {host}" for host in certificate.hosts)
    return f"{directory / certificate.name}.pem{hosts}\n"


def _configuration(sites: Sites, tls: bool, ports: Ports, directory: Path, user: str) -> str:
    lines = [
        "global",
        f"    stats socket {directory}/haproxy.sock mode 600 level admin expose-fd listeners",
        f"    user {user}",
        "    maxconn 4096",
        "    hard-stop-after 1h",
        "    ssl-default-bind-options ssl-min-ver TLSv1.2",
        "defaults",
        "    mode http",
        "    timeout connect 5s",
        "    timeout client 60s",
        "    timeout server 60s",
        "    timeout http-request 10s",
        "    timeout tunnel 1h",
        "    option http-server-close",  # each request may go to another endpoint
        "    option redispatch",
        "    retries 3",
        "    retry-on conn-failure",
        "frontend all",
        f"    bind :::{ports.http} v4v6",
    ]
    if tls:
        lines += [f"    bind :::{ports.https} v4v6 ssl crt-list {directory}/certificates.list alpn h2,http/1.1"]
    lines += [f"    {line}" for line in _routing(directory)]
    lines += [f"    default_backend {sites.default or NOBODY}"]
    for name, backend in sorted(sites.backends.items()):
        lines += [f"backend {name}", *(f"    {line}" for line in _servers(backend))]
    lines += [f"backend {NOBODY}", '    http-request return status 404 content-type text/plain string "no such site"']
    return "\n".join(lines) + "\n"


def _routing(directory: Path) -> list[str]:
    found = "{ var(txn.site) -m found }"
    chosen = "{ var(txn.backend) -m found }"
    return [
        "option forwardfor",
        "http-request set-header X-Forwarded-Proto https if { ssl_fc }",
        "http-request set-header X-Forwarded-Proto http if !{ ssl_fc }",
        "http-request set-header X-Forwarded-Host %[req.hdr(host)]",
        "http-request set-var(txn.path) path",
        f"http-request set-var(txn.site) req.hdr(host),host_only,lower,map_str({directory}/hosts.map)",
        "http-request set-var(txn.site) "
        f"req.hdr(host),host_only,lower,regsub(^[^.]*,*),map_str({directory}/hosts.map) if !{found}",
        f"http-request set-var(txn.site) str({ANY}) if !{found}",
        f'http-request set-var(txn.backend) var(txn.site),concat("",txn.path),map_str({directory}/exact.map)',
        "http-request set-var(txn.backend) "
        f'var(txn.site),concat("",txn.path,"/"),map_beg({directory}/prefix.map) if !{chosen}',
        f"use_backend %[var(txn.backend)] if {chosen}",
    ]


def _servers(backend: Backend) -> list[str]:
    """Without any server HAProxy answers 503."""
    balanced = ["balance leastconn"] if len(backend.servers) > 1 else []
    return balanced + [f"server s{number} {_at(*one)}" for number, one in enumerate(backend.servers)]


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
