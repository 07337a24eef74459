"""Why a pod goes where it goes: each node's first refusal, or its scores. Changes nothing that matters to others."""

from collections.abc import Mapping, Sequence

from reconciler.scheduler import messages
from reconciler.scheduler.decision import Explanation, Verdict
from reconciler.scheduler.nodeinfo import NodeInfo
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.schedule import standing_for, unavailable
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod


def explain(pod: Pod, snapshot: Snapshot, profile: Profile = PLAIN) -> Explanation:
    """The verdict upon each node, by name."""
    if pod.spec.scheduling_gates:
        return Explanation({}, message=messages.GATES)
    if not snapshot.nodes:
        return Explanation({}, message=messages.NO_NODES)
    held = snapshot.nominated.get(pod.metadata.uid)
    if held is not None:
        snapshot.withdraw(pod)
    try:
        return _explained(pod, snapshot, profile)
    finally:
        if held is not None:
            snapshot.nominate(pod, held.name)


def _explained(pod: Pod, snapshot: Snapshot, profile: Profile) -> Explanation:
    standing = standing_for(pod, snapshot, profile)
    refused = list(standing.refusals())
    nodes = {info.name: Verdict(said.plugin, said.refusal.reasons) for info, said in refused}
    best = standing.best()
    if best is None:
        return Explanation(_sorted(nodes), message=unavailable(standing, refused, len(snapshot.nodes)))
    if standing.choices == 1:
        return Explanation(_sorted(nodes | {best.name: Verdict()}), best.name)
    if standing.fault:
        return Explanation(_sorted(nodes), message=standing.fault)
    groups, members = standing.feasible(), standing.members()
    compared = standing.compared(groups)
    for at, group in enumerate(groups):
        of_group = {plugin: column[at] for plugin, column in compared.items()}
        infos = members[group]
        nodes |= _scored(of_group, infos, standing.scores.columns(infos, snapshot.states.of(infos)))
    return Explanation(_sorted(nodes), best.name)


def _scored(
    of_group: Mapping[str, int], infos: Sequence[NodeInfo], columns: Mapping[str, Sequence[int]]
) -> dict[str, Verdict]:
    """The verdicts upon nodes of one group; those with the same scores share theirs."""
    rows = list(zip(*columns.values(), strict=True)) or [()] * len(infos)
    known = {row: Verdict(scores={**of_group, **dict(zip(columns, row, strict=True))}) for row in {*rows}}
    return {info.name: known[row] for info, row in zip(infos, rows, strict=True)}


def _sorted(nodes: dict[str, Verdict]) -> dict[str, Verdict]:
    return dict(sorted(nodes.items()))
