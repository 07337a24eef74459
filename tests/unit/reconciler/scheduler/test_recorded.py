"""Decisions of a real kube-scheduler.

Covered: the mixes below. Not covered yet: pod affinity, explicit topology spread constraints, preemption, volumes.
"""

from typing import TypeVar

import msgspec
import pytest
from msgspec import structs

from reconciler.scheduler.schedule import candidates, schedule
from reconciler.scheduler.scores import scores
from reconciler.scheduler.snapshot import Snapshot
from schemas.apps import ReplicaSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.meta import Object
from tests.unit.reconciler.recordings import Json, recorded

AFFINITY = "asks for inter-pod affinity"
SPREAD = "states topology spread constraints of its own"
BAD_NUMBER = "a preferred term with a negative number makes the kube-scheduler give up; ours passes over the term"
KNOWN_DIFFERENCES = {
    **dict.fromkeys(("node_name-0001", "node_name-0045", "node_name-0049"), AFFINITY),
    **dict.fromkeys(("node_affinity_preferred-0056", "node_affinity_preferred-0079"), BAD_NUMBER),
}
COVERED = [
    "resources",
    "node_name",
    "unschedulable",
    "node_affinity",
    "node_affinity_preferred",
    "taints",
    "host_ports",
    "default_spread",
    "image_locality",
    "scoring",
    "scheduling_gates",
]
AnyObject = TypeVar("AnyObject", bound=Object)


@pytest.mark.parametrize("mix", COVERED)
def test_pods_go_where_the_kube_scheduler_sends_them(mix: str) -> None:
    differs = [case["id"] for case in recorded("scheduler-cases", mix) if not _excused(case) and not _same(case)]
    assert differs == []


def _excused(case: Json) -> bool:
    spreads = any("topologySpreadConstraints" in pod["spec"] for pod in case["pending"])
    affinities = [pod["spec"].get("affinity", {}) for pod in (*case["pods"], *case["pending"])]
    return case["id"] in KNOWN_DIFFERENCES or spreads or any(set(one) - {"nodeAffinity"} for one in affinities)


def _same(case: Json) -> bool:
    pods = iter(_pods(case))
    snapshot = Snapshot(
        [
            *(_read(one, Node) for one in case["nodes"]),
            *(_read(one, Service) for one in case.get("services", ())),
            *(_read(one, ReplicaSet) for one in case.get("replicaSets", ())),
            *(next(pods) for _ in case["pods"]),
        ]
    )
    return all(_same_result(next(pods), result, snapshot) for result in case["result"])


def _pods(case: Json) -> list[Pod]:
    found = [_read(one, Pod) for one in (*case["pods"], *case["pending"])]
    return [
        structs.replace(pod, metadata=structs.replace(pod.metadata, uid=f"uid-{number}"))
        for number, pod in enumerate(found)
    ]


def _read(written: Json, type_: type[AnyObject]) -> AnyObject:
    return defaulted(msgspec.convert(written, type_, strict=False))


def _same_result(pod: Pod, result: Json, snapshot: Snapshot) -> bool:
    if result.get("bypassed"):
        snapshot.put(pod)
        return True
    scored = _same_scores(pod, result, snapshot)
    (outcome,) = schedule((pod,), snapshot)
    if outcome.node:
        same = outcome.node in result.get("nodes_chosen", ()) and scored
        snapshot.place(pod, result.get("node", outcome.node))
        return same
    message = result.get("message_no_dra", result.get("message"))
    return (outcome.message, outcome.reason) == (message, result.get("reason"))


def _same_scores(pod: Pod, result: Json, snapshot: Snapshot) -> bool:
    if "scores" not in result:
        return True
    feasible, _ = candidates(pod, snapshot)
    given = {name: column for name, column in scores(pod, feasible, snapshot).items() if any(column)}
    expected = {
        node: dict(zip(result["score_plugins"], row[1:], strict=True)) for node, row in result["scores"].items()
    }
    ours = {info.name: {name: column[at] for name, column in given.items()} for at, info in enumerate(feasible)}
    return ours == expected
