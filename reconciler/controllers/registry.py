"""All controllers of the reconciler."""

from collections.abc import Callable

from reconciler.addresspools import Pool
from reconciler.controllers import (
    cronjob,
    csrcleaner,
    daemonset,
    deployment,
    disruption,
    endpoints,
    endpointslice,
    endpointsmirror,
    eventttl,
    garbagecollector,
    ingress,
    job,
    jobtracking,
    namespace,
    nodelease,
    nodemaintenance,
    nodettl,
    podgc,
    rebalance,
    replicaset,
    replicationcontroller,
    resourcequota,
    roleaggregation,
    serviceaccount,
    serviceaddress,
    statefulset,
    ttl,
)
from reconciler.controllers.apiservice import Served, apiservice
from reconciler.controllers.horizontalpodautoscaler import horizontalpodautoscaler
from reconciler.controllers.hpameasures import Usage
from reconciler.controllers.interface import Controller
from reconciler.controllers.loadbalancer import loadbalancer
from reconciler.controllers.nodeipam import nodeipam
from reconciler.controllers.nodelifecycle import nodelifecycle
from reconciler.controllers.nodezones import EVERY_SECONDS, nodezones
from reconciler.controllers.rootca import rootca
from reconciler.controllers.silence import Silences
from reconciler.controllers.volumes import binder, ephemeral, localpath, protection
from schemas.meta import Record


class ControllerSettings(Record, frozen=True):
    """What a reconciler's configuration may say of its controllers."""

    cluster_cidr: str = "10.244.0.0/16"
    node_eviction_seconds: float = EVERY_SECONDS
    """Between two nodes of a zone whose pods are evicted because they are lost."""
    authority: str = ""
    """The certificate (PEM) of the API's authority, for pods to trust."""
    served: Served | None = None
    """Where the API listens, for those in the cluster."""
    pools: tuple[Pool, ...] = ()
    """Of addresses for Services of `type: LoadBalancer`; without any, those wait for somebody else."""


def controllers(
    settings: ControllerSettings, usage: Callable[[], Usage] = dict, silences: Silences | None = None
) -> tuple[Controller, ...]:
    """Every controller once. Raises `ValueError` where the settings make no sense.

    `usage` tells what pods use, `silences` how long nodes have had no word.
    """
    return (
        deployment.CONTROLLER,
        replicaset.CONTROLLER,
        replicationcontroller.CONTROLLER,
        statefulset.CONTROLLER,
        daemonset.CONTROLLER,
        job.CONTROLLER,
        jobtracking.CONTROLLER,
        cronjob.CONTROLLER,
        csrcleaner.CONTROLLER,
        ttl.CONTROLLER,
        garbagecollector.CONTROLLER,
        nodelifecycle(silences),
        nodezones(settings.node_eviction_seconds),
        nodelease.CONTROLLER,
        nodemaintenance.CONTROLLER,
        nodettl.CONTROLLER,
        rebalance.CONTROLLER,
        podgc.podgc(silences),
        nodeipam(settings.cluster_cidr),
        namespace.CONTROLLER,
        eventttl.CONTROLLER,
        roleaggregation.CONTROLLER,
        serviceaccount.CONTROLLER,
        serviceaddress.CONTROLLER,
        endpointslice.CONTROLLER,
        ingress.CONTROLLER,
        endpoints.CONTROLLER,
        endpointsmirror.CONTROLLER,
        disruption.CONTROLLER,
        resourcequota.CONTROLLER,
        binder.CONTROLLER,
        ephemeral.CONTROLLER,
        localpath.CONTROLLER,
        protection.CLAIMS,
        protection.VOLUMES,
        horizontalpodautoscaler(usage),
        *((rootca(settings.authority),) if settings.authority else ()),
        *((apiservice(settings.served),) if settings.served else ()),
        *((loadbalancer(settings.pools),) if settings.pools else ()),
    )
