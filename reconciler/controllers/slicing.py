"""Which endpoints stand in which EndpointSlice: at most 100 in each, with as few slices written as can be.

Pure arithmetic over values. Each write of a slice goes to every node that serves it, so that an endpoint stays in
the slice that it is in, new ones go first to slices that are written anyway, then to the one that they fill best, and
a slice that would be deleted is written anew before another is made. Follows
https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#distribution-of-endpointslices.
"""

from collections.abc import Mapping, Sequence

import msgspec

from schemas.discovery import Endpoint, EndpointPort, EndpointSlice

MOST = 100
"""Endpoints in a slice."""

Ports = tuple[EndpointPort, ...]
"""In the order of `ordered`, so that equal sets are equal."""


class Slot(msgspec.Struct):
    """What a slice is to hold; `slice` is None where it is a new one."""

    slice: EndpointSlice | None
    ports: Ports
    endpoints: list[Endpoint]

    def fill(self, waiting: list[Endpoint]) -> None:
        """Takes as many of those waiting as there is room for."""
        fitting = max(0, MOST - len(self.endpoints))
        self.endpoints += waiting[:fitting]
        del waiting[:fitting]


def ordered(ports: Sequence[EndpointPort]) -> Ports:
    return tuple(sorted(ports, key=lambda one: (one.port or 0, one.protocol, one.name or "", one.app_protocol or "")))


def arrange(existing: Sequence[EndpointSlice], wanted: Mapping[Ports, Sequence[Endpoint]]) -> tuple[Slot, ...]:
    """What the slices of one address type are to hold. Existing ones that no slot names are to go.

    There is always one slice: without any endpoint it is an empty one, which tells that somebody has looked.
    """
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for one in existing:
        by_ports.setdefault(ordered(one.ports), []).append(one)
    slots = [
        slot
        for ports, endpoints in wanted.items()
        for slot in _distributed(ports, by_ports.get(ports, ()), endpoints)
        if slot.endpoints
    ] or [_placeholder(by_ports)]
    kept = {slot.slice.metadata.name for slot in slots if slot.slice is not None}
    spare = [one for one in existing if one.metadata.name not in kept]
    for slot in slots:
        if slot.slice is None and spare:
            slot.slice = spare.pop(0)
    return tuple(slots)


def _placeholder(by_ports: Mapping[Ports, Sequence[EndpointSlice]]) -> Slot:
    empty = next((one for one in by_ports.get((), ()) if not one.endpoints), None)
    return Slot(empty, (), [])


def _distributed(ports: Ports, existing: Sequence[EndpointSlice], endpoints: Sequence[Endpoint]) -> list[Slot]:
    missing = {_identity(one): one for one in endpoints}
    unwritten, written = list[Slot](), list[Slot]()
    for one in existing:
        kept = [missing.pop(_identity(each)) for each in one.endpoints if _identity(each) in missing]
        (unwritten if tuple(kept) == one.endpoints else written).append(Slot(one, ports, kept))
    waiting = list(missing.values())
    for slot in sorted((slot for slot in written if slot.endpoints), key=lambda slot: -len(slot.endpoints)):
        slot.fill(waiting)
    while waiting:
        found = _best_filled(unwritten, len(waiting))
        if found is None:
            found = Slot(None, ports, [])
        else:
            unwritten.remove(found)
        found.fill(waiting)
        written.append(found)
    return [*unwritten, *written]


def _identity(endpoint: Endpoint) -> tuple[tuple[str, ...], str, str, str]:
    """By which an endpoint is the same one as before, however its conditions may have changed."""
    target = endpoint.target_ref
    where = (target.namespace, target.name) if target is not None else ("", "")
    return (endpoint.addresses, endpoint.hostname, *where)


def _best_filled(slots: Sequence[Slot], count: int) -> Slot | None:
    """The fullest slot that has room for all of them."""
    fitting = [slot for slot in slots if len(slot.endpoints) + count <= MOST] if count < MOST else []
    return max(fitting, key=lambda slot: len(slot.endpoints), default=None)
