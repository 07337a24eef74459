"""Connections of UDP that the kernel remembers and that lead nowhere any more: pure.

A client that goes on sending from one port stays with the endpoint of its first packet, also when that is gone; and
with nothing, where there was no endpoint then. What is named here is to be forgotten.
"""

from collections.abc import Iterator

import msgspec

from schemas.network import NetworkService


class Flow(msgspec.Struct, frozen=True, order=True):
    """To `address` (empty: any of the node's own) and `port`; `endpoint` it was sent on to, empty for none."""

    address: str
    port: int
    endpoint: str = ""


def stale(old: NetworkService | None, new: NetworkService | None) -> list[Flow]:
    """What to forget after a Service has become another one, or has gone or come."""
    before, after = set(_flows(old)), set(_flows(new))
    gone = before - after
    had, has = ({(one.address, one.port) for one in flows} for flows in (before, after))
    return sorted(gone | {Flow(address, port) for address, port in has - had})


def _flows(service: NetworkService | None) -> Iterator[Flow]:
    """Each way of UDP that leads to an endpoint."""
    if service is None or service.headless:
        return
    addresses = (*service.cluster_ips, *service.external_ips, *service.load_balancer_ips)
    for port in service.ports:
        if port.protocol != "UDP":
            continue
        ends = [(address, port.port) for address in addresses]
        ends += [("", port.node_port)] if port.node_port else []
        for slice_ in service.slices:
            if any((one.name, one.protocol) == (port.name, "UDP") for one in slice_.ports):
                for endpoint in slice_.endpoints:
                    if endpoint.ready or endpoint.serving:
                        yield from (
                            Flow(*end, endpoint.address) for end in ends if _same_family(end[0], endpoint.address)
                        )


def _same_family(one: str, other: str) -> bool:
    return not one or (":" in one) == (":" in other)


def forgetting(flow: Flow) -> list[str]:
    """The arguments of `conntrack` that make the kernel forget it."""
    family = "ipv6" if ":" in flow.address + flow.endpoint else "ipv4"
    words = ["-D", "-f", family, "-p", "udp", "--orig-port-dst", str(flow.port)]
    if flow.address:
        words += ["--orig-dst", flow.address]
    if flow.endpoint:
        words += ["--dst-nat", flow.endpoint]
    return words
