"""What one object has for itself alone in the cluster: a Service its addresses and the ports that it opens on nodes,
an Event what it says.

Pure. A claim is a text: an address, a port number, the digest of an Event; whoever holds it is found by the index of
the view, so that nothing has to be kept beside the objects, and nothing can get lost.
"""

import ipaddress
from functools import lru_cache

from reconciler.store.events import event_claim
from schemas.core.event import Event
from schemas.core.service import Service
from schemas.meta import Object

HEADLESS = "None"


def claims(object_: Object | None) -> frozenset[str]:
    """All that the object has for itself."""
    if isinstance(object_, Event):
        return frozenset((event_claim(object_),))
    if not isinstance(object_, Service):
        return frozenset()
    spec = object_.spec
    addresses = {address_claim(ip) for ip in spec.cluster_ips or (spec.cluster_ip,) if ip not in ("", HEADLESS)}
    ports = {port.node_port for port in spec.ports} | {spec.health_check_node_port or 0}
    return frozenset(addresses | {port_claim(port) for port in ports if port})


def port_claim(port: int) -> str:
    """One number is one Service's, whatever the protocol, as in Kubernetes."""
    return str(port)


@lru_cache(1024)
def address_claim(text: str) -> str:
    """An address in its one canonical form."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:  # validation tells of it
        return text
