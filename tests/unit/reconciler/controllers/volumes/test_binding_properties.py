"""Claims and volumes over generated histories: edits, deletions, pods, choices of the scheduler, restarts."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.controllers.volumes import localpath
from reconciler.link.assignments import discards
from reconciler.link.inbound import node_changes
from reconciler.store.changes import AlreadyExists, Delete, Update
from schemas.core.node import Node, NodeStatus
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.kinds import KINDS
from schemas.messages import NodeReport
from schemas.meta import Object, ref_of
from tests.unit.reconciler.controllers.builders import node
from tests.unit.reconciler.controllers.volumes.builders import (
    CONTROLLERS,
    ROX,
    RWO,
    RWX,
    choose,
    claim,
    storage_class,
    user,
    volume,
)
from tests.unit.reconciler.controllers.world import START, World

NAMES = ("a", "b", "c")
MODES = ((RWO,), (RWO,), (RWO, ROX), (RWX,))
CLASSES = ("", "", "slow", "local-path")
"""Most claims and volumes suit each other: else histories would be empty of pairs."""
MAKES = ("volume", "volume", "claim", "claim", "pod", "choose")
ACTIONS = (*MAKES, "free", "delete", "discard", "restart", *["reconcile"] * 4, "settle")


def everything(world: World) -> list[Object]:
    return [found for kind in KINDS for found in world.cache.list(kind.type)]


def create(world: World, made: Object) -> None:
    try:
        world.create(made)
    except AlreadyExists:
        return


def discard(world: World) -> None:
    """The agents remove what they are told to."""
    for one in world.cache.list(Node):
        gone = tuple(discards(world.cache).get(one.metadata.name, {}))
        report = NodeReport(epoch=1, sent_at=START, status=NodeStatus(), discarded=gone)
        world.apply(node_changes(one.metadata.name, report, None, world.cache, world.now))


def free(world: World, number: int) -> None:
    """Somebody takes the claim off a volume, as one does for a released one."""
    found = world.cache.list(PersistentVolume)
    if found:
        chosen = found[number % len(found)]
        world.apply((Update(structs.replace(chosen, spec=structs.replace(chosen.spec, claim_ref=None))),))


def play(world: World, action: str, number: int, draw: st.DataObject) -> None:
    name = NAMES[number % 3]
    if action == "volume":
        size, kept = f"{number % 3 + 1}Gi", draw.draw(st.sampled_from(("", "", "a", "b")))
        modes, class_ = draw.draw(st.sampled_from(MODES)), draw.draw(st.sampled_from(CLASSES[:3]))
        reclaim = draw.draw(st.sampled_from(("Retain", "Delete")))
        create(world, volume(name, size, modes=modes, class_=class_, kept_for=kept, reclaim=reclaim))
    elif action == "claim":
        modes, class_ = draw.draw(st.sampled_from(MODES)), draw.draw(st.sampled_from(CLASSES))
        create(world, claim(name, modes=modes, class_=class_, volume_name=draw.draw(st.sampled_from(("", "", "a")))))
    elif action == "pod":
        create(world, user(f"p-{name}", name, node=draw.draw(st.sampled_from(("", "n1")))))
    elif action == "choose" and world.cache.get(PersistentVolumeClaim, "default", name):
        choose(world, name, "n1")
    elif action == "free":
        free(world, number)
    elif action == "delete":
        kinds = (PersistentVolume, PersistentVolumeClaim, Pod)
        found: list[Object] = [one for kind in kinds for one in world.cache.list(kind)]
        if found:
            world.apply((Delete(ref_of(found[number % len(found)]), grace_seconds=0),))
    elif action == "discard":
        discard(world)
    elif action == "restart":
        world.restart(everything(world))
    elif action == "settle":
        world.settle()
    else:
        world.step(lambda keys: keys[number % len(keys)])


def assert_pairs_are_whole(world: World) -> None:
    """Whoever is bound points at one that points back; no two share a volume."""
    held: dict[str, str] = {}
    for one in world.cache.list(PersistentVolumeClaim):
        if one.status.phase != "Bound":
            continue
        found = world.cache.get(PersistentVolume, "", one.spec.volume_name)
        assert found is not None
        assert found.spec.claim_ref is not None
        assert found.spec.claim_ref.uid == one.metadata.uid
        assert held.setdefault(found.metadata.name, one.metadata.name) == one.metadata.name
    for volume_ in world.cache.list(PersistentVolume):
        if volume_.status.phase == "Bound":
            assert volume_.metadata.name in held


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(), steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 11)), min_size=20, max_size=50)
)
def test_every_history_ends_in_whole_pairs_at_rest(data: st.DataObject, steps: list[tuple[str, int]]) -> None:
    world = World(CONTROLLERS)
    world.create(node("n1"), localpath.BUILT_IN, storage_class("slow", "kubernetes.io/no-provisioner"))
    meddled = False
    for action, number in steps:
        play(world, action, number, data)
        meddled |= action == "free"
        if not meddled:
            assert_pairs_are_whole(world)
    world.settle()
    assert_pairs_are_whole(world)
    commits = world.commits
    world.restart(everything(world))
    world.settle()
    assert world.commits == commits
    for pod in world.pods():
        world.apply((Delete(ref_of(pod), grace_seconds=0),))
    for claim_ in world.cache.list(PersistentVolumeClaim):
        world.apply((Delete(ref_of(claim_)),))
    world.settle()
    discard(world)
    world.settle()
    assert world.cache.list(PersistentVolumeClaim) == ()
    assert not any(localpath.is_ours(one) for one in world.cache.list(PersistentVolume))
