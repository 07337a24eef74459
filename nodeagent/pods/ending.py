"""How the containers of a pod end: main containers together, then sidecars one by one in reverse order.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
"""

from nodeagent.pods.actions import CleanUp, Decision, Finish, PrepareVolumes, RemoveSandbox, StopSandbox
from nodeagent.pods.memory import NEVER
from nodeagent.pods.plan import Plan
from nodeagent.pods.resources import is_sidecar
from nodeagent.pods.situation import Situation, grace_seconds
from nodeagent.runtime.interface import Container as Instance


def end(situation: Situation) -> Decision:
    """Towards nothing left: containers, sandboxes, then files."""
    plan = Plan(situation)
    failure = situation.memory.failure
    if not stop_all(plan):
        return plan.decision(failure)
    for sandbox in situation.observed.sandboxes:
        plan.add(RemoveSandbox(sandbox.id))
    if situation.observed.sandboxes or plan.is_under_way("remove-sandbox:"):
        return plan.decision(failure, ended=True)
    if situation.memory.cleaned:
        return plan.decision(failure, ended=True, removed=True)
    if not plan.is_under_way(PrepareVolumes().key):  # a mount that comes late must not be left behind
        plan.add(CleanUp())
    return plan.decision(failure, ended=True)


def finish(situation: Situation) -> Decision:
    """The pod has run out or failed as a whole: its dead containers stay, for their logs, until it is deleted."""
    plan = Plan(situation)
    failure = situation.memory.failure
    if not stop_all(plan):
        return plan.decision(failure)
    stopped = situation.memory.stopped_sandboxes
    for sandbox in situation.observed.sandboxes:
        if sandbox.ready and sandbox.id not in stopped:
            plan.add(StopSandbox(sandbox.id))
    if not plan.actions and not plan.is_under_way("stop-sandbox:") and not situation.memory.finished:
        plan.add(Finish())
    return plan.decision(failure, ended=True)


def hold(situation: Situation) -> Decision:
    """Nothing of the pod runs until its lease is renewed, or the machine is up again; sandbox and volumes stay."""
    plan = Plan(situation)
    no_word = "the node has had no word of the reconciler for the pod's lease"
    why = no_word if situation.going_down is None else "the node is shutting down"
    stop_all(plan, f"Stopping container {{}}: {why}")
    return plan.decision(situation.memory.failure)


def stop_all(plan: Plan, message: str = "Stopping container {}") -> bool:
    """True when nothing runs and nothing is about to."""
    situation = plan.situation
    memory = situation.memory
    since = memory.held_since if memory.ending_since is None else memory.ending_since
    limits = (situation.going_down, memory.failure.grace if memory.failure else None)
    grace = min(grace_seconds(situation.pod), *(limit for limit in limits if limit is not None), NEVER)
    grace_ends = (situation.now if since is None else since) + grace
    for instance in _next_to_stop(situation):
        plan.stop(instance, grace_ends, message.format(instance.name))
    return (
        not situation.observed.live() and not plan.is_under_way("start:", "stop:") and "sandbox" not in situation.busy
    )


def _next_to_stop(situation: Situation) -> list[Instance]:
    """All but sidecars; when none of those is left, the sidecar that was started last."""
    live = situation.observed.live()
    sidecars = [
        container.name for container in situation.pod.spec.init_containers if is_sidecar(situation.pod, container)
    ]
    others = [instance for instance in live if instance.name not in sidecars]
    if others or not live:
        return others
    last = max(live, key=lambda instance: sidecars.index(instance.name))
    return [instance for instance in live if instance.name == last.name]
