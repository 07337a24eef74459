"""The Service `kubernetes` in `default`, by which programs in the cluster find the API, and where it leads.

It has the first address of the range, as everywhere. Where the API can be reached from this machine alone it leads
nowhere. Somebody who changes or deletes one of the three finds it as it was.
"""

import ipaddress
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import structs

from reconciler.controllers.endpointslice import SERVICE_NAME
from reconciler.controllers.interface import Controller, Plan
from reconciler.store.changes import Change, Create, Update
from reconciler.store.view import Event, View
from schemas.core.config import Namespace
from schemas.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.defaults import defaulted
from schemas.discovery import Endpoint, EndpointConditions, EndpointSlice
from schemas.discovery import EndpointPort as SlicePort
from schemas.meta import Object, ObjectMeta, Ref

NAMESPACE, NAME = "default", "kubernetes"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
_PORT = 443
_KEY = Ref("Service", NAMESPACE, NAME)


class Served(msgspec.Struct, frozen=True):
    """Where the API listens. `address` is empty where nobody else can reach it."""

    cluster_ip: str
    port: int
    address: str = ""


def first_address(service_cidr: str) -> str:
    """The address of the Service in the range, or in the first of several."""
    return str(ipaddress.ip_network(service_cidr.partition(",")[0].strip())[1])


def concerns(event: Event, view: View) -> Iterable[Ref]:
    found = event.object
    if isinstance(found, Namespace) and found.metadata.name == NAMESPACE and event.old is None:
        return (_KEY,)
    is_one = isinstance(found, Service | EndpointSlice | Endpoints) and found.metadata.name == NAME
    return (_KEY,) if is_one and found.metadata.namespace == NAMESPACE else ()


def apiservice(served: Served) -> Controller:
    wanted = (_service(served), *((_slice(served), _endpoints(served)) if served.address else ()))

    def reconcile(ref: Ref, view: View, now: datetime) -> Plan:
        home = view.get(Namespace, "", NAMESPACE)
        if home is None or home.metadata.deletion_timestamp is not None:
            return Plan()
        return Plan(tuple(change for one in wanted for change in _change(one, view)))

    return Controller("apiservice", concerns, reconcile)


def _change(wanted: Object, view: View) -> Iterable[Change]:
    present = view.find(Ref(wanted.kind, NAMESPACE, NAME))
    if present is None:
        yield Create(wanted)
    elif present.metadata.deletion_timestamp is None and (written := _written(wanted, present)) != present:
        yield Update(written)


def _written(wanted: Object, present: Object) -> Object:
    """The present one with all that is wanted; what else somebody has put there stays."""
    labels = present.metadata.labels | wanted.metadata.labels
    metadata = structs.replace(present.metadata, labels=labels)
    match wanted, present:
        case Service(), Service():
            kept = ("cluster_ip", "cluster_ips", "ip_families", "ip_family_policy")  # for life
            spec = structs.replace(wanted.spec, **{name: getattr(present.spec, name) for name in kept})
            return structs.replace(present, metadata=metadata, spec=spec)
        case EndpointSlice(), EndpointSlice():
            return structs.replace(present, metadata=metadata, endpoints=wanted.endpoints, ports=wanted.ports)
        case Endpoints(), Endpoints():
            return structs.replace(present, metadata=metadata, subsets=wanted.subsets)
    return present


def _service(served: Served) -> Service:
    metadata = ObjectMeta(name=NAME, namespace=NAMESPACE, labels={"component": "apiserver", "provider": "kubernetes"})
    port = ServicePort(_PORT, name="https", protocol="TCP", target_port=served.port)
    spec = ServiceSpec(cluster_ip=served.cluster_ip, cluster_ips=(served.cluster_ip,), ports=(port,))
    return defaulted(Service(metadata=metadata, spec=spec))


def _slice(served: Served) -> EndpointSlice:
    metadata = ObjectMeta(name=NAME, namespace=NAMESPACE, labels={SERVICE_NAME: NAME})
    return EndpointSlice(
        metadata=metadata,
        address_type=f"IPv{ipaddress.ip_address(served.address).version}",
        endpoints=(Endpoint(addresses=(served.address,), conditions=EndpointConditions(ready=True)),),
        ports=(SlicePort(name="https", port=served.port, protocol="TCP"),),
    )


def _endpoints(served: Served) -> Endpoints:
    metadata = ObjectMeta(name=NAME, namespace=NAMESPACE, labels={SKIP_MIRROR: "true"})
    port = EndpointPort(served.port, name="https", protocol="TCP")
    return Endpoints(metadata=metadata, subsets=(EndpointSubset((EndpointAddress(served.address),), (), (port,)),))
