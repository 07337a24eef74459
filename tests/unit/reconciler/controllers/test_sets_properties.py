"""StatefulSets and DaemonSets over generated histories: edits, agents, lost pods and nodes, restarts."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers import daemonset, garbagecollector, nodelifecycle, podgc, statefulset
from reconciler.controllers.daemonpods import node_of
from reconciler.controllers.nodezones import nodezones
from reconciler.controllers.podstate import active, ended, ready
from reconciler.controllers.statefulpods import ordinal, running_and_ready, wanted
from reconciler.store.changes import Delete, Update, UpdateStatus
from reconciler.store.view import Event
from schemas.apps import ControllerRevision, DaemonSet, StatefulSet
from schemas.core.node import Node, NodeCondition, Taint
from schemas.core.pod import Pod
from schemas.meta import Ref, ref_of
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.setbuilders import (
    assert_at_rest,
    bind,
    converge,
    daemon_set,
    edit,
    image_of,
    look_again,
    names,
    serve,
    stateful_set,
    unready,
)
from tests.unit.reconciler.controllers.world import World, with_phase

NODES = (nodelifecycle.CONTROLLER, nodezones(), podgc.CONTROLLER, garbagecollector.CONTROLLER)


class Agents:
    """Nodes that end a pod only when they hear of it, and confirm that. Sees whether anything ran twice."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.away = False
        self._confirmed: set[str] = set()
        self._running: dict[str, str] = {}
        self.twice: list[str] = []
        """Names under which two pods were at once. Not raised where it is seen: the cache would only log it."""
        world.cache.subscribe(self._look)

    def _look(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event.new, Pod) and event.new.spec.node_name and not ended(event.new):
                name, uid = event.new.metadata.name, event.new.metadata.uid
                if self._running.get(name, uid) != uid:
                    self.twice.append(name)
                self._running[name] = uid
            elif isinstance(event.object, Pod) and event.object.metadata.uid in self._confirmed:
                self._running.pop(event.object.metadata.name, None)

    def end(self) -> None:
        """Ends what is to end, unless the node is cut off."""
        for pod in self.world.pods():
            if pod.metadata.deletion_timestamp is not None and not self.away:
                self._confirmed.add(pod.metadata.uid)
                self.world.delete(ref_of(pod), grace_seconds=0)

    def fail(self, pod: Pod) -> None:
        self._confirmed.add(pod.metadata.uid)
        self.world.apply((UpdateStatus(with_phase(pod, "Failed", self.world.now)),))

    def connect(self, value: str) -> None:
        self.away = value != "True"
        found = self.world.get(Node, "", "n1")
        told = (NodeCondition(value, "Ready", last_transition_time=self.world.now, reason="Kubelet"),)
        status = structs.replace(found.status, conditions=told)
        self.world.apply((UpdateStatus(structs.replace(found, status=status)),))


ACTIONS = ("serve one", "serve all", "bind", "end", "fail", "delete", "image", "replicas", "lose node", "find node")
OTHERS = ("restart", "settle", "wait", *["reconcile"] * 4)


def play(world: World, agents: Agents, action: str, number: int) -> None:
    pods = world.pods()
    if action == "serve one" and not agents.away:
        serve(world, unready(world)[:1])
    elif action == "serve all" and not agents.away:
        serve(world, unready(world))
    elif action == "bind":
        bind(world, pods)
    elif action == "end":
        agents.end()
    elif action == "fail" and pods and not agents.away:
        chosen = pods[number % len(pods)]
        if chosen.spec.node_name and active(chosen):
            agents.fail(chosen)
    elif action == "delete" and pods:
        world.apply((Delete(ref_of(pods[number % len(pods)])),))
    elif action == "image":
        edit(world, StatefulSet, image=f"db:{number}")
    elif action == "replicas":
        edit(world, StatefulSet, replicas=number)
    elif action in ("lose node", "find node"):
        agents.connect("Unknown" if action == "lose node" else "True")
    elif action == "restart":
        look_again(world)
    elif action == "settle":
        world.settle()
    elif action == "wait":
        world.advance(number * 20)
    else:
        world.step(lambda keys: keys[number % len(keys)])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), parallel=st.booleans(), first=st.integers(0, 4), partition=st.integers(0, 3))
def test_no_history_makes_an_ordinal_run_twice_and_every_one_converges(
    data: st.DataObject, parallel: bool, first: int, partition: int
) -> None:
    world = World((statefulset.CONTROLLER, *NODES))
    agents = Agents(world)
    world.create(
        node("n1"),
        node("other"),
        stateful_set(first, parallel=parallel, partition=partition, start=partition, history=2),
    )
    history = data.draw(st.lists(st.tuples(st.sampled_from(ACTIONS + OTHERS), st.integers(0, 4)), max_size=30))
    for action, number in history:
        play(world, agents, action, number)
        assert not agents.twice
    agents.connect("True")
    for _ in range(200):  # a pod that fails to start in order holds up the set until it is served
        world.settle()
        waiting = unready(world)
        serve(world, waiting)
        agents.end()
        world.advance(1)
        if not waiting and not world.queued and not any(pod.metadata.deletion_timestamp for pod in world.pods()):
            break
    assert not agents.twice
    owner = world.get(StatefulSet, "default", "db")
    assert {ordinal(owner, pod) for pod in world.pods()} == set(wanted(owner))
    above = [pod for pod in world.pods() if (ordinal(owner, pod) or 0) >= wanted(owner).start + partition]
    template = owner.spec.template.spec
    assert template is not None
    assert {image_of(pod) for pod in above} <= {template.containers[0].image}
    assert owner.status.replicas == owner.status.ready_replicas == len(wanted(owner))
    numbers = [one.revision for one in world.cache.list(ControllerRevision)]
    assert len(set(numbers)) == len(numbers) <= 2 + 2 + partition
    assert_at_rest(world)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_in_order_a_pod_is_made_only_when_all_before_it_are_ready(data: st.DataObject) -> None:
    world = World((statefulset.CONTROLLER, *NODES))
    agents = Agents(world)

    def look(events: Sequence[Event]) -> None:
        for event in events:
            if event.old is None and isinstance(event.new, Pod):
                owner = world.get(StatefulSet, "default", "db")
                number = ordinal(owner, event.new)
                assert number is not None
                before = [world.cache.get(Pod, "default", f"db-{one}") for one in range(number)]
                if not all(pod is not None and running_and_ready(pod) for pod in before):
                    early.append(number)

    early: list[int] = []
    world.cache.subscribe(look)
    world.create(node("n1"), stateful_set(3))
    steps = st.sampled_from(("serve one", "end", "fail", "delete", "image", "replicas", "restart", "settle"))
    for action, number in data.draw(st.lists(st.tuples(steps, st.integers(0, 4)), max_size=40)):
        play(world, agents, action, number)
        world.settle()
        assert not early


def away(world: World, agents: Agents) -> None:
    """n1 is cut off, and its pods are evicted."""
    agents.connect("Unknown")
    world.settle()
    world.advance(120)
    world.settle()


def cut_off() -> tuple[World, Agents]:
    world = World((statefulset.CONTROLLER, *NODES))
    agents = Agents(world)
    world.create(node("n1"), node("other"), stateful_set(2, parallel=True))
    converge_with(world, agents)
    away(world, agents)
    return world, agents


def converge_with(world: World, agents: Agents) -> None:
    for _ in range(20):
        world.settle()
        serve(world, unready(world))
        agents.end()


def test_a_pod_on_a_node_that_is_cut_off_is_not_replaced() -> None:
    world, _ = cut_off()
    before = [pod.metadata.uid for pod in world.pods()]
    assert all(pod.metadata.deletion_timestamp for pod in world.pods()), "evicted, but not gone"
    world.advance(86_400)
    assert [pod.metadata.uid for pod in world.pods()] == before


def test_it_is_replaced_when_the_node_returns_and_confirms_its_end() -> None:
    world, agents = cut_off()
    agents.connect("True")
    agents.end()
    world.settle()
    assert names(world.pods()) == ["db-0", "db-1"]
    assert not any(pod.metadata.deletion_timestamp for pod in world.pods())


def test_it_is_replaced_when_somebody_says_that_it_is_gone() -> None:
    world, agents = cut_off()
    agents._confirmed.update(pod.metadata.uid for pod in world.pods())
    world.delete(Ref("Pod", "default", "db-0"), grace_seconds=0)
    world.settle()
    assert [pod.metadata.name for pod in world.pods() if not pod.metadata.deletion_timestamp] == ["db-0"]


def test_it_is_replaced_when_the_node_is_deleted() -> None:
    world, agents = cut_off()
    agents._confirmed.update(pod.metadata.uid for pod in world.pods())
    world.delete(Ref("Node", "", "n1"))
    world.settle()
    assert not any(pod.metadata.deletion_timestamp for pod in world.pods())
    assert names(world.pods()) == ["db-0", "db-1"]


DAEMON_ACTIONS = ("serve one", "serve all", "end", "fail", "delete", "image", "node", "lose node", "taint")


def play_daemon(world: World, action: str, number: int) -> None:
    pods = world.pods()
    name = f"n{number % 3}"
    found = world.cache.get(Node, "", name)
    if action == "end":
        for pod in pods:
            if pod.metadata.deletion_timestamp is not None:
                world.delete(ref_of(pod), grace_seconds=0)
    elif action.startswith("serve"):
        serve(world, unready(world)[: 1 if action == "serve one" else None])
    elif action == "fail" and pods:
        world.apply((UpdateStatus(with_phase(pods[number % len(pods)], "Failed", world.now)),))
    elif action == "delete" and pods:
        world.apply((Delete(ref_of(pods[number % len(pods)])),))
    elif action == "image":
        edit(world, DaemonSet, image=f"db:{number}")
    elif action == "node" and found is None:
        world.create(node(name))
    elif action == "lose node" and found is not None:
        world.delete(ref_of(found))
    elif action == "taint" and found is not None:
        taints = () if found.spec.taints else (Taint(effect=("NoSchedule", "NoExecute")[number % 2], key="mine"),)
        world.apply((Update(structs.replace(found, spec=structs.replace(found.spec, taints=taints))),))
    elif action == "restart":
        look_again(world)
    elif action == "wait":
        world.advance(number)
    else:
        world.step(lambda keys: keys[number % len(keys)])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), surge=st.integers(0, 2))
def test_any_history_of_a_daemon_set_ends_with_one_pod_on_each_node(data: st.DataObject, surge: int) -> None:
    world = World((daemonset.CONTROLLER, podgc.CONTROLLER, garbagecollector.CONTROLLER))
    world.create(node("n0"), node("n1"), daemon_set(surge=surge, unavailable=0 if surge else 1))
    steps = st.sampled_from((*DAEMON_ACTIONS, "restart", "wait", *["reconcile"] * 4))
    for action, number in data.draw(st.lists(st.tuples(steps, st.integers(0, 4)), max_size=30)):
        play_daemon(world, action, number)
    world.advance(60)
    converge(world)
    world.advance(2000)
    converge(world)
    owner = world.get(DaemonSet, "default", "db")
    template = owner.spec.template.spec
    assert template is not None
    nodes = {one.metadata.name: {taint.effect for taint in one.spec.taints} for one in world.cache.list(Node)}
    placed = {node_of(pod): image_of(pod) for pod in world.pods()}
    assert len(placed) == len(world.pods()), "two pods on a node"
    assert {name for name, effects in nodes.items() if not effects} <= placed.keys()
    assert not placed.keys() & {name for name, effects in nodes.items() if "NoExecute" in effects}
    assert placed.keys() <= nodes.keys()
    assert {image for name, image in placed.items() if not nodes[name]} <= {template.containers[0].image}
    assert owner.status.desired_number_scheduled == sum(not effects for effects in nodes.values())
    assert_at_rest(world)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), unavailable=st.integers(0, 3))
def test_an_update_never_takes_more_nodes_than_allowed(data: st.DataObject, unavailable: int) -> None:
    world = World((daemonset.CONTROLLER, podgc.CONTROLLER, garbagecollector.CONTROLLER))
    surge = 0 if unavailable else 1
    world.create(*(node(f"n{number}") for number in range(4)), daemon_set(unavailable=unavailable, surge=surge))
    converge(world)
    steps = st.sampled_from(("serve one", "end", "image", "restart", *["reconcile"] * 6))
    for action, number in data.draw(st.lists(st.tuples(steps, st.integers(0, 4)), max_size=60)):
        play_daemon(world, action, number)
        served = {node_of(pod) for pod in world.pods() if active(pod) and ready(pod)}
        assert len(served) >= 4 - unavailable
        assert len([pod for pod in world.pods() if active(pod)]) <= 4 + surge
