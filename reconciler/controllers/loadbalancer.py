"""Services of `type: LoadBalancer` get addresses from the pools of the configuration.

All Services are one key, so that no two get the same address. One keeps what it has for as long as it may have it;
`loadBalancerIP` asks for a certain one. A Service of another `loadBalancerClass` is left to whom it names
(https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer).
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import structs

from reconciler.addresspools import CLASS, Pool
from reconciler.controllers.interface import Controller, Plan
from reconciler.store.changes import Change, Emit, UpdateStatus
from reconciler.store.view import Event, View
from schemas.core.service import LoadBalancerIngress, LoadBalancerStatus, Service
from schemas.meta import Ref

COMPONENT = "service-controller"
ALL_SERVICES = Ref("Service", "", "")


def loadbalancer(pools: Sequence[Pool]) -> Controller:
    """Gives out the addresses of these pools."""

    def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
        return Plan(tuple(_changes(view.list(Service), pools)))

    return Controller("loadbalancer", _concerns, reconcile)


def _concerns(event: Event, view: View) -> Iterable[Ref]:
    versions = [one for one in (event.old, event.new) if isinstance(one, Service)]
    return (ALL_SERVICES,) if any(is_balanced(one) or _held(one) for one in versions) else ()


def is_balanced(service: Service) -> bool:
    """Whether the Service is to have addresses from here."""
    return service.spec.type == "LoadBalancer" and service.spec.load_balancer_class in ("", CLASS)


def _held(service: Service) -> tuple[str, ...]:
    status = service.status.load_balancer
    return tuple(one.ip for one in status.ingress if one.ip) if status else ()


def _changes(services: Iterable[Service], pools: Sequence[Pool]) -> Iterator[Change]:
    """Who was there first chooses first; what is held counts before what is wished for."""
    alive = [one for one in services if one.metadata.deletion_timestamp is None]
    balanced = sorted((one for one in alive if is_balanced(one)), key=_age)
    for one in alive:
        if not is_balanced(one) and any(_in(pools, ip) for ip in _held(one)):
            yield UpdateStatus(structs.replace(one, status=structs.replace(one.status, load_balancer=None)))
    taken: set[str] = set()
    kept: dict[Ref, tuple[str, ...]] = {}
    for one in balanced:
        kept[_ref(one)] = own = tuple(ip for ip in _held(one) if ip not in taken and _may_keep(one, ip, pools))
        taken |= set(own)
    for one in balanced:
        found = list(kept[_ref(one)])
        for family in one.spec.ip_families:
            if not any(_family(ip) == family for ip in found) and (ip := _free(one, family, pools, taken)):
                found.append(ip)
                taken.add(ip)
        yield from _told(one, tuple(found))


def _told(service: Service, found: tuple[str, ...]) -> Iterator[Change]:
    if not found:
        yield Emit(service, "Warning", "AllocationFailed", _refusal(service), COMPONENT)
    if found == _held(service):
        return
    ingress = tuple(LoadBalancerIngress(ip=ip, ip_mode="VIP") for ip in found)
    status = structs.replace(service.status, load_balancer=LoadBalancerStatus(ingress) if found else None)
    yield UpdateStatus(structs.replace(service, status=status))
    if found:
        yield Emit(service, "Normal", "IPAllocated", f"Assigned {', '.join(found)}", COMPONENT)


def _refusal(service: Service) -> str:
    asked = service.spec.load_balancer_ip
    if asked:
        return f"loadBalancerIP {asked} is another Service's, or in no pool of the reconciler's configuration"
    return "no address is free: give `loadBalancerPools` of the reconciler's configuration more addresses"


def _may_keep(service: Service, ip: str, pools: Sequence[Pool]) -> bool:
    asked = service.spec.load_balancer_ip
    families = service.spec.ip_families
    return _in(pools, ip) and _family(ip) in families and (not asked or _family(asked) != _family(ip) or asked == ip)


def _free(service: Service, family: str, pools: Sequence[Pool], taken: set[str]) -> str:
    asked = service.spec.load_balancer_ip
    if asked and _family(asked) == family:
        return asked if asked not in taken and _in(pools, asked) else ""
    seed = f"{service.metadata.namespace}/{service.metadata.name}"
    everything = (ip for pool in pools for ip in pool.in_order(family, seed))
    return next((ip for ip in everything if ip not in taken), "")


def _in(pools: Sequence[Pool], ip: str) -> bool:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return any(address in pool for pool in pools)


def _family(ip: str) -> str:
    return "IPv6" if ":" in ip else "IPv4"


def _age(service: Service) -> tuple[float, str]:
    created = service.metadata.creation_timestamp
    return (created.timestamp() if created else 0, service.metadata.uid)


def _ref(service: Service) -> Ref:
    return Ref("Service", service.metadata.namespace, service.metadata.name)
