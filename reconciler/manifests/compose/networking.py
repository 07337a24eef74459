"""How a service is reached and how it reaches others: ports, further names, hosts, DNS."""

import ipaddress
from collections.abc import Iterator

from msgspec.structs import replace

from reconciler.manifests.compose.model import Network
from reconciler.manifests.compose.names import object_name
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.reading import Fields, as_text, attempt, one_of
from reconciler.manifests.compose.syntax import Port, pair, ports, read_port
from schemas.faults import Path

_ANYWHERE = ("", "0.0.0.0", "::")


def read_network(fields: Fields, name: str) -> Network:
    """All of it; `name` is the service's own."""
    return Network(
        ports=tuple(_ports(fields)),
        aliases=tuple(dict.fromkeys(alias for alias in _aliases(fields) if alias != name)),
        hostname=_hostname(fields),
        hosts=_hosts(fields),
        dns=tuple(fields.texts("dns")),
        dns_search=tuple(fields.texts("dns_search")),
        dns_options=dict(pair(text, ":") for text in fields.texts("dns_opt")),
    )


# Ports


def _ports(fields: Fields) -> Iterator[Port]:
    """Published ones first; a port is not exposed again that is published already."""
    published: dict[tuple[int, str, str, int | None], Port] = {}
    is_host = fields.text("network_mode") == "host"
    for node, path in fields.items("ports"):
        found = (
            _long(Fields(node, path, fields.report))
            if node.map
            else attempt(node, path, fields.report, lambda node: read_port(as_text(node)))
        )
        for port in found or ():
            if is_host:
                port = _on_host(port, node, path, fields)
            elif port.published is None:
                message = f"{port.target} has no fixed port of the host, and is reached by the service's name only"
                fields.report.warning(node, path, f"{message}; write HOST:{port.target} to publish it")
            port = replace(port, host_ip="" if port.host_ip in _ANYWHERE else port.host_ip)
            key = (port.target, port.protocol, port.host_ip, port.published)
            published.setdefault(key, port)
    yield from published.values()
    known = {(port.target, port.protocol) for port in published.values()}
    for node, path in fields.items("expose"):
        for port in attempt(node, path, fields.report, _exposed) or ():
            if (port.target, port.protocol) not in known:
                known.add((port.target, port.protocol))
                yield port


def _exposed(node: Node) -> tuple[Port, ...]:
    target, _, protocol = as_text(node).partition("/")
    return ports(target, "", "", protocol or "tcp")


def _on_host(port: Port, node: Node, path: Path, fields: Fields) -> Port:
    """On the node's own network a port is what the program listens on."""
    if port.published not in (None, port.target):
        message = f"with `network_mode: host` nothing leads from {port.published} to {port.target}"
        fields.report.warning(node, path, f"{message}; the service is reached at {port.target}")
    return replace(port, published=None)


def _long(fields: Fields) -> tuple[Port, ...] | None:
    if fields.get("target") is None:
        fields.report.error(fields.node, fields.path, "`target` is missing: the port in the container")
        return None
    fields.read("mode", lambda node: one_of(as_text(node), ("host", "ingress")))
    target, published = fields.text("target"), fields.text("published")
    host_ip, protocol = fields.text("host_ip").strip("[]"), fields.text("protocol").lower() or "tcp"
    found = attempt(fields.node, fields.path, fields.report, lambda _: ports(target, published, host_ip, protocol))
    name, app_protocol = object_name(fields.text("name")), fields.text("app_protocol")
    return found and tuple(replace(port, name=name, app_protocol=app_protocol) for port in found)


# Names


def _aliases(fields: Fields) -> Iterator[str]:
    """Further names of this service. Those that others give it by `links` come with these."""
    if name := fields.text("container_name"):
        if object_name(name) != name:
            fields.warning("container_name", f"it is reached as {object_name(name)}: {name} is no name in DNS")
        yield object_name(name)
    networks = fields.get("networks")
    for name in networks.map if networks else ():
        aliases = fields.below("networks").below(name)
        for node, path, alias in aliases.each("aliases"):
            if object_name(alias) != alias:
                message = f"the service is reached as {object_name(alias)}: {alias} is no single name in DNS"
                fields.report.warning(node, path, message)
            yield object_name(alias)


def read_links(fields: Fields) -> Iterator[tuple[Node, str, str]]:
    """`SERVICE[:ALIAS]`, with the place of each."""
    for node, _, text in fields.each("links"):
        service, _, alias = text.partition(":")
        yield node, service, object_name(alias)


def _hostname(fields: Fields) -> str:
    name = fields.text("hostname")
    first = object_name(name.partition(".")[0])
    if name and first != name:
        fields.warning("hostname", f"the host name is {first}: one in lower case without dots is what a pod can have")
    return first


def _hosts(fields: Fields) -> dict[str, tuple[str, ...]]:
    hosts: dict[str, tuple[str, ...]] = {}
    for name, address, node, path in _entries(fields):
        if address == "host-gateway":
            message = f"{name} is left out: a pod does not know its node by name; write the node's address"
            fields.report.warning(node, path, message)
            continue
        try:
            found = str(ipaddress.ip_address(address.strip("[]")))
        except ValueError:
            fields.report.error(node, path, f"expected NAME:ADDRESS such as db:10.0.0.7, found {name}:{address}")
            continue
        hosts[found] = (*hosts.get(found, ()), name)
    return hosts


def _entries(fields: Fields) -> Iterator[tuple[str, str, Node, Path]]:
    child = fields.get("extra_hosts")
    if child is None:
        return
    for name in child.map:
        below = fields.below("extra_hosts")
        for node, path, text in below.each(name):
            yield name, text, node, path
    if not child.map:
        for node, path, text in fields.each("extra_hosts"):
            name, address = pair(text, "=:") if text[:1] not in "=:" else (text, None)
            yield name, (address or "").strip(), node, path
