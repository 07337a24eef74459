"""All that a decision about a pod rests on, and the questions that several decisions ask of it."""

from collections.abc import Mapping

import msgspec
from msgspec import field

from nodeagent.pods.memory import PodMemory, Verdict, spec_hash
from nodeagent.pods.observed import Observed
from nodeagent.pods.resizing import Room, needs_restart
from nodeagent.pods.resources import is_sidecar
from nodeagent.runtime.interface import Container as Instance
from nodeagent.runtime.interface import State
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.nodeloss import DEFAULT_GRACE, SHORTEST_GRACE

SPEC_HASH = "wherry.dev/spec-hash"
MIN_GRACE = SHORTEST_GRACE
RESTART, RESTART_ALL = "Restart", "RestartAllContainers"
"""What a rule of `restartPolicyRules` may ask for."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """`busy`: keys of the actions under way; for a stop, when its grace ends. `now` is monotonic.

    `ending`: the pod is deleted, or the digest names it no more. `held`: it is fenced and its lease has run out, so
    that another one may run in its place. `going_down`: the machine does, and this is how many seconds the pod has for
    its end; it runs again when the machine does.
    """

    pod: Pod
    observed: Observed
    memory: PodMemory
    now: float
    ending: bool = False
    held: bool = False
    going_down: float | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    busy: Mapping[str, float] = field(default_factory=dict)
    room: Room | None = None
    """Of the node; only looked up where the pod asks for other resources than it has."""
    lacks_token: bool = False
    """A volume that is not ready shows a token which has not come."""

    @property
    def is_suspended(self) -> bool:
        """Nothing of the pod shall run for now."""
        return self.held or self.going_down is not None

    def verdict(self, instance: Instance) -> Verdict:
        return self.verdicts.get(instance.id, Verdict())

    def is_started(self, instance: Instance) -> bool:
        """Running, its startup probe has succeeded and its `postStart` is over."""
        return (
            instance.state is State.RUNNING
            and instance.id not in self.memory.hooks_due
            and self.verdict(instance).started
        )


def grace_seconds(pod: Pod) -> float:
    """What a deletion grants; otherwise what the pod's spec asks for."""
    if pod.metadata.deletion_grace_period_seconds is not None:
        return float(pod.metadata.deletion_grace_period_seconds)
    return spec_grace_seconds(pod)


def spec_grace_seconds(pod: Pod) -> float:
    asked = pod.spec.termination_grace_period_seconds
    return float(DEFAULT_GRACE if asked is None else asked)


def policy_of(pod: Pod, container: Container) -> str:
    """The restart policy that holds for this container: its own, or else its pod's. An init container that has
    succeeded is never run again, nor is an ephemeral one, whatever became of it."""
    if any(container.name == one.name for one in pod.spec.ephemeral_containers):
        return "Never"
    policy = container.restart_policy or pod.spec.restart_policy or "Always"
    is_main = any(container.name == main.name for main in pod.spec.containers)
    return policy if is_main or is_sidecar(pod, container) or policy == "Never" else "OnFailure"


def rule_for(container: Container, exit_code: int) -> str:
    """The action of the first of its rules that speaks of this exit code; empty where none does (KEP-5307)."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is not None and (exit_code in codes.values) == (codes.operator == "In"):
            return rule.action
    return ""


def spec_changed(container: Container, instance: Instance) -> bool:
    made_from = instance.annotations.get(SPEC_HASH, "")
    return bool(made_from) and made_from != spec_hash(container)


def restarts(pod: Pod, container: Container, ended: Instance) -> bool:
    """Whether an instance that has ended is followed by another one."""
    if spec_changed(container, ended) or needs_restart(container, ended, {}):
        return True
    policy = policy_of(pod, container)
    if policy == "Always" or (policy == "OnFailure" and ended.exit_code != 0):
        return True
    plain_init = any(container.name == one.name for one in pod.spec.init_containers)
    return not (plain_init and ended.exit_code == 0) and rule_for(container, ended.exit_code) in (RESTART, RESTART_ALL)


def has_run_out(pod: Pod, observed: Observed) -> bool:
    """Every main container has ended for good, or an init container has failed where none is tried again."""
    return _init_failed(pod, observed) or all(_is_over(pod, main, observed) for main in pod.spec.containers)


def _init_failed(pod: Pod, observed: Observed) -> bool:
    for container in pod.spec.init_containers:
        latest = observed.latest(container.name)
        if latest and latest.exit_code and _is_over(pod, container, observed):
            return True
    return False


def _is_over(pod: Pod, container: Container, observed: Observed) -> bool:
    latest = observed.latest(container.name)
    if latest is None or latest.state is not State.EXITED or latest.provisional:
        return False
    return not restarts(pod, container, latest)
