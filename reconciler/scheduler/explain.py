"""Why a pod goes where it goes: each node's first refusal, or its scores. Changes nothing."""

from reconciler.scheduler import filters
from reconciler.scheduler.decision import Explanation, Verdict
from reconciler.scheduler.profile import PLAIN, Profile
from reconciler.scheduler.schedule import best, explanation
from reconciler.scheduler.scores import scores
from reconciler.scheduler.snapshot import Snapshot
from schemas.core.pod import Pod


def explain(pod: Pod, snapshot: Snapshot, profile: Profile = PLAIN) -> Explanation:
    """The verdict upon each node, by name."""
    asked = filters.question(pod)
    feasible, refused, nodes = [], [], {}
    for name, info in sorted(snapshot.nodes.items()):
        for plugin, check in filters.FILTERS.items():
            why = check(asked, info)
            if why is not None:
                nodes[name] = Verdict(plugin, why.reasons)
                refused.append(why)
                break
        else:
            feasible.append(info)
    if not feasible:
        return Explanation(nodes, message=explanation(pod, refused, len(snapshot.nodes)))
    columns = scores(pod, feasible, snapshot) if len(feasible) > 1 else {}
    for at, info in enumerate(feasible):
        nodes[info.name] = Verdict(scores={plugin: column[at] for plugin, column in columns.items()})
    return Explanation(nodes, best(pod, feasible, snapshot))
