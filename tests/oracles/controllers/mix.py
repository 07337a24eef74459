"""What a mix of cases needs of its own: its controllers, how its state is read, and what orders its pods."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.controllers.interface import Controller
from schemas.core.node import Node, NodeCondition, NodeStatus
from schemas.core.pod import Pod
from schemas.meta import Object, ObjectMeta, Quantity

if TYPE_CHECKING:
    from tests.oracles.controllers.player import Player

Json = Any
"""Of a case, as recorded."""
Verb = Callable[["Player", Json], None]
Key = Callable[["Player", Pod], str]
NAMESPACE = "case"


def usual_nodes() -> Sequence[Object]:
    """n1…n9, which are there from the start in most mixes."""
    capacity: dict[str, Quantity] = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return [
        Node(
            metadata=ObjectMeta(
                name=f"n{number}",
                labels={"kubernetes.io/hostname": f"n{number}", "topology.kubernetes.io/zone": f"z{number % 3}"},
            ),
            status=NodeStatus(
                allocatable=capacity,
                capacity=capacity,
                conditions=(NodeCondition("True", "Ready", reason="KubeletReady"),),
            ),
        )
        for number in range(1, 10)
    ]


def no_revision(player: "Player", pod: Pod) -> str:
    return "None"


def next_of_three(player: "Player", pod: Pod) -> str:
    """Unbound pods go to n1, n2, n3 in turn."""
    player.turn += 1
    return f"n{(player.turn - 1) % 3 + 1}"


def values_of_pods(state: Json) -> Json:
    """The state, with its pods as a multiset of values: which of several equals was taken is open."""
    return {**state, "pods": sorted(msgspec.json.encode(value).decode() for value in state["pods"].values())}


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of cases."""

    controllers: Sequence[Controller]
    state: Callable[["Player"], Json]
    """What the recordings say after each step (`refused` apart)."""
    setting: Callable[[], Sequence[Object]] = usual_nodes
    """What is there before the case begins."""
    revision: Key = no_revision
    """By which pods are ordered first, and chosen."""
    node: Key = next_of_three
    """Where the script binds an unbound pod."""
    by_node: bool = False
    """Pods are ordered by node before all else."""
    resting: float | None = None
    """Where limits of time are part of the cases: for how many seconds nothing had changed when a state was read."""
    verbs: Mapping[str, Verb] = {}
    """Actions that only this mix has, or plays otherwise."""
    loose: Callable[[Json], Json] = values_of_pods
    """What of a state is compared from `looseFrom` on."""
    recorded: Callable[[Json], Json] = lambda state: state
    """What of a recorded state is compared."""
    differences: Mapping[str, str] = {}
    """Cases that are known to differ, and why; `docs/differences.md` says it to people."""
