"""Admission: what an object is completed with before it is stored, and what does not come in.

Pure: (object, view) → object, or a `Refused`. The plug-ins bear the names that they have in the API server, and speak
its words. What completes looks at what is new alone: an object that is there keeps what it was given when it came,
so that a limit or a class that changes later makes nothing differ from what its manifest declares.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from reconciler.admission import (
    accounts,
    labelkeys,
    limits,
    nodes,
    pods,
    podsecurity,
    priority,
    quota,
    runtimeclass,
    services,
    storage,
)
from reconciler.admission.refusal import refused
from reconciler.store.view import View
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.meta import Object, Record, ref_of
from schemas.nodeloss import DEFAULT_LEASE

AnyObject = TypeVar("AnyObject", bound=Object)

Complete = Callable[[Object, View], Object]
Check = Callable[[Object, View], str]
"""Why the object may not come in; empty where it may."""

_COMPLETING: Sequence[Complete] = (
    limits.complete,
    accounts.complete,
    priority.complete,
    runtimeclass.complete,
    storage.complete,
    labelkeys.complete,
    pods.complete,
)
_CHECKING: Sequence[Check] = (
    accounts.check,
    runtimeclass.check,
    podsecurity.check,
    priority.check,
    limits.check,
    quota.check,
)


class AdmissionSettings(Record, frozen=True):
    """What a reconciler's configuration may say of admission."""

    default_toleration_seconds: int = 30
    """For how long a pod stays bound to a node that is away, unless it says so itself."""
    default_lease_seconds: int = DEFAULT_LEASE
    """For how long a fenced pod runs on without word of the reconciler, unless it says so itself."""
    service_cidr: str = services.SERVICE_CIDR
    node_ports: str = services.NODE_PORTS


def completion(settings: AdmissionSettings) -> Complete:
    """The function that fills in what an object leaves out. It refuses nothing, and twice is once."""

    def complete(object_: Object, view: View) -> Object:
        completed = defaulted(object_)
        if view.find(ref_of(completed)) is None:
            for plugin in _COMPLETING:
                completed = plugin(completed, view)
            if isinstance(completed, Pod):
                completed = pods.leased(completed, settings.default_lease_seconds)
        if isinstance(completed, Pod):
            return pods.tolerating(completed, settings.default_toleration_seconds)
        return nodes.keeping(completed, view) if isinstance(completed, Node) else completed

    return complete


def allocation(settings: AdmissionSettings) -> Complete:
    """`completion`, and addresses for new Services. Raises `Refused` where none is left, or not the one asked for."""
    complete, given = completion(settings), services.ranges(settings.service_cidr, settings.node_ports)

    def allocate(object_: Object, view: View) -> Object:
        completed = complete(object_, view)
        return services.allocated(completed, None, view, given) if isinstance(completed, Service) else completed

    return allocate


def admission(settings: AdmissionSettings) -> Complete:
    """The function that every new object passes on its way into the store. Raises `Refused`."""
    allocate = allocation(settings)

    def admit(object_: Object, view: View) -> Object:
        completed = allocate(object_, view)
        for check in _CHECKING:
            if why := check(completed, view):
                raise refused(completed, why)
        return completed

    return admit


def amendment(settings: AdmissionSettings) -> Callable[[Object, Object, View], Object]:
    """The function that every new version of an object passes. Raises `Refused`."""
    given = services.ranges(settings.service_cidr, settings.node_ports)

    def amend(new: Object, old: Object, view: View) -> Object:
        if why := storage.growth(new, old, view):
            raise refused(new, why)
        return services.allocated(new, old, view, given) if isinstance(new, Service) else new

    return amend
