"""Cases of the mix `endpointslice`.

The recordings also hold the older Endpoints objects, which are not served: they are not compared.
"""

import msgspec

from reconciler.controllers import endpointslice, garbagecollector
from reconciler.controllers.endpointslice import HEADLESS, MANAGED_BY, SERVICE_NAME
from schemas.discovery import Endpoint, EndpointPort, EndpointSlice
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player

_RESERVED = (HEADLESS, MANAGED_BY, SERVICE_NAME)


def state(player: Player) -> Json:
    merged: dict[str, dict[str, Json]] = {}
    for one in player.world.cache.list(EndpointSlice, NAMESPACE):
        told = _slice(one)
        found = merged.setdefault(str([told[key] for key in ("service", "addressType", "ports", "managedBy")]), told)
        if found is not told:
            found["endpoints"] += told["endpoints"]
    for told in merged.values():
        told["endpoints"].sort(key=lambda each: each["addresses"])
    return {"slices": sorted(merged.values(), key=lambda one: (one["service"], one["addressType"], str(one["ports"])))}


def _slice(one: EndpointSlice) -> dict[str, Json]:
    labels = one.metadata.labels
    return {
        "service": labels.get(SERVICE_NAME),
        "addressType": one.address_type,
        "ports": sorted(_port(port) for port in one.ports),
        "managedBy": labels.get(MANAGED_BY),
        "headless": HEADLESS in labels,
        "labels": {key: text for key, text in labels.items() if key not in _RESERVED},
        "endpoints": [_endpoint(each) for each in one.endpoints],
    }


def _port(port: EndpointPort) -> Json:
    return [port.name, port.protocol, port.port, *([port.app_protocol] if port.app_protocol else [])]


def _endpoint(each: Endpoint) -> Json:
    told = {
        "addresses": list(each.addresses),
        **(msgspec.to_builtins(each.conditions) if each.conditions else {}),
        "hostname": each.hostname,
        "nodeName": each.node_name,
        "zone": each.zone,
        "hints": msgspec.json.decode(msgspec.json.encode(each.hints)) if each.hints else None,
        "target": each.target_ref.name if each.target_ref else "",
    }
    return {key: value for key, value in told.items() if value not in (None, "")}


MIX = Mix(
    controllers=(endpointslice.CONTROLLER, garbagecollector.CONTROLLER),
    state=state,
    recorded=lambda state: {key: value for key, value in state.items() if key != "endpoints"},
    differences={"endpointslice-a068": "a pod without an address is relabelled: no slice is written for its sake"},
)
