"""Many objects at rest in memory, as after months of work: what one change among them costs."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import structs

from reconciler.controllers import daemonset
from reconciler.controllers.daemonpods import node_of
from reconciler.controllers.registry import ControllerSettings, controllers
from reconciler.store.changes import Delete, Update, UpdateStatus
from reconciler.store.codec import decode, encode
from schemas.apps import Deployment
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.podstatus import PodIP
from schemas.core.service import Service, ServicePort, ServiceSpec
from schemas.kinds import KINDS
from schemas.meta import LabelSelector, Object, ObjectMeta, ref_of
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.setbuilders import daemon_set
from tests.unit.reconciler.controllers.world import World, with_phase

Act = Callable[[], None]
_EACH, _NODES = 4, 20
_FIRST = "app-00000"


def nodes(number: int) -> Iterator[Node]:
    """Which have room for all."""
    for index in range(number):
        found = builders.node(f"node-{index:04}")
        room = {"cpu": "64", "memory": "256Gi", "pods": "250"}
        yield structs.replace(found, status=structs.replace(found.status, allocatable=room, capacity=room))


def deployments(number: int, replicas: int) -> Iterator[Deployment]:
    for index in range(number):
        yield _deployment(f"app-{index:05}", replicas)


def _deployment(name: str, replicas: int) -> Deployment:
    labels = {"app": name, "tier": "web"}
    found = builders.deployment(replicas)
    selector = LabelSelector(match_labels={"app": name})
    spec = structs.replace(found.spec, selector=selector, template=builders.template("app:1", labels))
    return structs.replace(found, metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


def _application(name: str) -> Sequence[Object]:
    """A Deployment with a Service and a budget."""
    metadata = ObjectMeta(name=name, namespace="default")
    service = ServiceSpec(ports=(ServicePort(80),), selector={"app": name})
    budget = PodDisruptionBudgetSpec(max_unavailable=1, selector=LabelSelector(match_labels={"app": name}))
    return (
        _deployment(name, _EACH),
        Service(metadata=metadata, spec=service),
        PodDisruptionBudget(metadata=metadata, spec=budget),
    )


class Crowd:
    """About `size` objects in one namespace, all at rest, and all controllers."""

    def __init__(self, size: int) -> None:
        self.world = World(controllers(ControllerSettings()))
        self.world.create(Namespace(metadata=ObjectMeta(name="default")), *nodes(_NODES), daemon_set())
        self._serve()
        before = {one.metadata.uid for one in self.objects()}
        self.world.create(*_application(_FIRST))
        self._serve()
        one = [(each.kind, encode(each)) for each in self.objects() if each.metadata.uid not in before]
        self.applications = max(1, (size - len(before)) // len(one))
        for number in range(1, self.applications):
            self.world.cache.load(_again(one, number))

    def objects(self) -> Iterator[Object]:
        for kind in KINDS:
            yield from self.world.cache.list(kind.type)

    def _serve(self) -> None:
        """Until all pods run and nothing is left to do."""
        while True:
            self.world.settle()
            waiting = [pod for pod in self.world.pods() if not pod.spec.node_name]
            if not waiting:
                return
            for number, pod in enumerate(waiting):
                place(self.world, pod, node_of(pod) or f"node-{number % _NODES:04}")

    def name(self, number: int) -> str:
        """Of one of the applications: each round takes another."""
        return f"app-{number * 7919 % self.applications:05}"

    def pod(self, number: int) -> Pod:
        (service,) = [self.world.get(Service, "default", self.name(number))]
        owner = service.spec.selector["app"]
        return next(pod for pod in self.world.pods() if pod.metadata.labels.get("app") == owner)


def _again(written: Sequence[tuple[str, bytes]], number: int) -> Iterator[Object]:
    """The first application under another name."""
    others = {_FIRST: f"app-{number:05}", '"uid-': f'"uid-{number}-', '"10.200.': f'"10.{number % 200}.'}
    for kind, text in written:
        for old, new in others.items():
            text = text.replace(old.encode(), new.encode())
        yield decode(kind, text, 1)


def daemons(number: int) -> World:
    """A DaemonSet alone, with a ready pod on each of so many nodes."""
    world = World((daemonset.CONTROLLER,))
    world.create(*nodes(number), daemon_set())
    world.settle()
    for pod in world.pods():
        place(world, pod, node_of(pod))
    world.settle()
    return world


def place(world: World, pod: Pod, node: str) -> None:
    """Bound, and started there."""
    world.apply((Update(structs.replace(pod, spec=structs.replace(pod.spec, node_name=node))),))
    run(world, world.get(Pod, "default", pod.metadata.name))


def run(world: World, pod: Pod, *, ready: bool = True) -> None:
    """As its agent reports it."""
    reported = with_phase(pod, "Running", world.now, ready=ready)
    address = pod.status.pod_ip or f"10.200.0.{sum(map(ord, pod.metadata.uid)) % 250 + 1}"
    status = structs.replace(reported.status, pod_ip=address, pod_ips=(PodIP(address),))
    world.apply((UpdateStatus(structs.replace(reported, status=status)),))


def _unready(crowd: Crowd, number: int) -> Act:
    pod = crowd.pod(number)
    return lambda: run(crowd.world, pod, ready=False)


def _lost(crowd: Crowd, number: int) -> Act:
    pod = crowd.pod(number)
    return lambda: crowd.world.apply((Delete(ref_of(pod), grace_seconds=0),))


def _scaled(crowd: Crowd, number: int) -> Act:
    found = crowd.world.get(Deployment, "default", crowd.name(number))
    spec = structs.replace(found.spec, replicas=(found.spec.replicas or 0) + 1)
    return lambda: crowd.world.apply((Update(structs.replace(found, spec=spec)),))


def _rolled(crowd: Crowd, number: int) -> Act:
    found = crowd.world.get(Deployment, "default", crowd.name(number))
    labels = found.spec.template.metadata.labels
    spec = structs.replace(found.spec, template=builders.template(f"app:{number + 2}", labels))
    return lambda: crowd.world.apply((Update(structs.replace(found, spec=spec)),))


def _labelled(crowd: Crowd, number: int) -> Act:
    """One of the nodes, which daemon pods depend on."""
    found = crowd.world.get(Node, "", f"node-{number % _NODES:04}")
    metadata = structs.replace(found.metadata, labels=found.metadata.labels | {"round": str(number)})
    return lambda: crowd.world.apply((Update(structs.replace(found, metadata=metadata)),))


CHANGES: Mapping[str, Callable[[Crowd, int], Act]] = {
    "pod_not_ready": _unready,
    "pod_lost": _lost,
    "deployment_scaled": _scaled,
    "deployment_rolled": _rolled,
    "node_labelled": _labelled,
}
"""What changes, made ready before the clock runs."""
