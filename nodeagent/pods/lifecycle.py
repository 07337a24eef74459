"""The life of a pod: what to do next, from what it shall be and what is there.

Pure, and by level: each decision is made afresh from the situation, so that losing or doubling any event, or the
agent itself, changes only the delay. The rules are the kubelet's:
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/,
https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/.

Invariants: no container is started while another one of its name lives; a main container is started only when every
init container is done and every sidecar has started; a pod that ends starts nothing.
"""

from msgspec.structs import replace

from nodeagent.pods.actions import (
    Decision,
    EnsureImage,
    Failure,
    PrepareVolumes,
    RemoveContainer,
    RemoveSandbox,
    ResizeContainers,
    RunPostStart,
    RunSandbox,
    StartContainer,
    StopSandbox,
)
from nodeagent.pods.ending import end, finish, hold, stop_all
from nodeagent.pods.memory import CREATING, ContainerMemory, Exit, PodMemory, restart_at, spec_hash
from nodeagent.pods.observed import LIVE, Observed
from nodeagent.pods.plan import Plan
from nodeagent.pods.resetting import reset, source
from nodeagent.pods.resizing import differences, is_asked, needs_restart, resizable, weighed
from nodeagent.pods.resizing import given as given_to
from nodeagent.pods.resources import all_containers, debuggers, is_sidecar
from nodeagent.pods.situation import (
    Situation,
    has_run_out,
    policy_of,
    restarts,
    spec_changed,
    spec_grace_seconds,
)
from nodeagent.runtime.interface import Container as Instance
from nodeagent.runtime.interface import State
from schemas.core.container import Container
from schemas.core.podstatus import ContainerStateWaiting

TOKEN_SECONDS = 10.0
"""For how long after a pod's start nobody wonders where its token is: a busy machine takes seconds to sign one."""
DEADLINE = Failure("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


def decide(situation: Situation) -> Decision:
    """What to do now. `remember` has been applied to the situation's memory."""
    if situation.ending:
        return end(situation)
    if situation.memory.finished or situation.memory.failure or has_run_out(situation.pod, situation.observed):
        return finish(situation)
    return hold(situation) if situation.is_suspended else _run(situation)


def remember(situation: Situation) -> PodMemory:
    """The memory with what is seen now: which containers have ended, whose spec is new, what is over."""
    memory, observed, now = situation.memory, situation.observed, situation.now
    for container in all_containers(situation.pod):
        before = memory.of(container.name)
        after = before
        if before.spec_hash != spec_hash(container):
            after = ContainerMemory(
                spec_hash=spec_hash(container),
                exit=before.exit if before.spec_hash == "" else None,
                attempts=before.attempts,
            )
        latest = observed.latest(container.name)
        if latest and latest.state is not State.CREATED and latest.attempt >= after.attempts:
            after = replace(after, attempts=latest.attempt + 1)
        if latest and latest.state is State.EXITED and (after.exit is None or after.exit.container_id != latest.id):
            after = replace(after, exit=Exit(latest.id, now))
        if after != before:
            memory = memory.with_container(container.name, after)
            if before.spec_hash and after.spec_hash != before.spec_hash:
                memory = memory.succeeded(f"image:{container.name}").succeeded(f"start:{container.name}")
    memory = _with_resize(situation, _of_known(memory, observed))
    if memory.failure is None and not situation.ending and _is_overdue(situation):
        memory = replace(memory, failure=DEADLINE)
    if memory.ending_since is None and (situation.ending or memory.failure or has_run_out(situation.pod, observed)):
        memory = replace(memory, ending_since=now)
    if source(situation.pod, observed) is not None:
        memory = replace(memory, resetting=True)
    elif memory.resetting and any(observed.current(main.name) for main in situation.pod.spec.containers):
        memory = replace(memory, resetting=False)
    if situation.is_suspended != (memory.held_since is not None):
        memory = replace(memory, held_since=now if situation.is_suspended else None)
    return memory


def _of_known(memory: PodMemory, observed: Observed) -> PodMemory:
    """Without what concerned containers that are gone."""
    known = {instance.id for instance in observed.all()}
    given = {id_: what for id_, what in memory.given.items() if id_ in known}
    return replace(memory, hooks_due=memory.hooks_due & known, hooks_failed=memory.hooks_failed & known, given=given)


def _with_resize(situation: Situation, memory: PodMemory) -> PodMemory:
    """What becomes of a resize. What was granted stays so until it is done, whoever else wants room."""
    granted = memory.resize is not None and not memory.resize.pending
    if not is_asked(situation.pod, situation.observed, memory.given):
        return memory if memory.resize is None else replace(memory, resize=None, resize_error="")
    if situation.room is None or (granted and memory.resized_for == situation.pod.metadata.generation):
        return memory
    resize = weighed(situation.pod, situation.observed, memory.given, situation.room)
    return replace(memory, resize=resize, resized_for=situation.pod.metadata.generation)


def _is_overdue(situation: Situation) -> bool:
    ends = _deadline(situation)
    return ends is not None and situation.now >= ends and not has_run_out(situation.pod, situation.observed)


def _deadline(situation: Situation) -> float | None:
    seconds, since = situation.pod.spec.active_deadline_seconds, situation.memory.active_since
    return None if seconds is None or since is None else since + seconds


def _run(situation: Situation) -> Decision:
    plan = Plan(situation)
    deadline = _deadline(situation)
    if deadline is not None:
        plan.wake_at(deadline)
    if situation.memory.volumes_ready:
        _run_with_volumes(plan)
    elif not _awaits_token(plan):
        plan.add(PrepareVolumes())
    elif not situation.observed.sandboxes:
        _renew_sandbox(plan)
    return plan.decision(None)


def _awaits_token(plan: Plan) -> bool:
    """A pod is told before its tokens are signed, so that its sandbox is made meanwhile; they are only moments away.

    One that does not come is a volume that cannot be had, like any other.
    """
    situation = plan.situation
    since = situation.memory.active_since
    if not situation.lacks_token or since is None or situation.now >= since + TOKEN_SECONDS:
        return False
    plan.wake_at(since + TOKEN_SECONDS)
    return True


def _run_with_volumes(plan: Plan) -> None:
    situation = plan.situation
    sandbox = situation.observed.sandbox
    if "sandbox" in situation.busy:
        return
    if sandbox is None or not sandbox.ready or sandbox.id in situation.memory.stopped_sandboxes:
        _renew_sandbox(plan)
    elif _is_sole(plan) and not reset(plan):
        _replace(plan)
        _resize(plan)
        _debug(plan)
        if _initialise(plan):
            _start_main(plan)
        if not any(isinstance(action, StartContainer | EnsureImage) for action in plan.actions):
            _collect_garbage(plan)


def _renew_sandbox(plan: Plan) -> None:
    """The sandbox is not there yet, or is lost: what still runs in it ends, it is taken down, another one comes."""
    situation = plan.situation
    if not stop_all(plan, "Stopping container {}"):
        return
    for sandbox in situation.observed.sandboxes:
        if sandbox.id not in situation.memory.stopped_sandboxes:
            plan.add(StopSandbox(sandbox.id, changed=sandbox is situation.observed.sandbox))
            return
    newest = situation.observed.sandbox
    plan.add(RunSandbox(newest.attempt + 1 if newest else 0))
    for container in all_containers(situation.pod):
        if not situation.memory.of(container.name).image:
            plan.add(EnsureImage(container.name))


def _is_sole(plan: Plan) -> bool:
    """True when no older sandbox runs anything; otherwise it is stopped first."""
    situation = plan.situation
    older = situation.observed.sandboxes[1:]
    live = {instance.sandbox_id for instance in situation.observed.live()}
    lingering = [
        one for one in older if (one.ready and one.id not in situation.memory.stopped_sandboxes) or one.id in live
    ]
    for sandbox in lingering:
        plan.add(StopSandbox(sandbox.id))
    return not lingering


def _replace(plan: Plan) -> None:
    """Stops what must not run on as it is; takes away what was made and never started."""
    situation = plan.situation
    specs = {container.name: container for container in all_containers(situation.pod)}
    grace_ends = situation.now + spec_grace_seconds(situation.pod)
    for instance in situation.observed.all():
        container = specs.get(instance.name)
        if instance.state is State.CREATED and f"start:{instance.name}" not in situation.busy:
            plan.add(RemoveContainer(instance.name, instance.id))
        elif instance.state in LIVE and container is not None:
            reason = _reason_to_stop(situation, container, instance)
            verdict = situation.verdict(instance)
            probe_grace = verdict.grace if verdict.failed else None
            if reason and f"stop:{instance.id}" not in situation.busy and not _awaits_image(plan, container, instance):
                plan.stop(instance, grace_ends if probe_grace is None else situation.now + probe_grace, reason)


def _awaits_image(plan: Plan, container: Container, instance: Instance) -> bool:
    """A container runs on with its old image until the new one is here; one that cannot be had holds nothing up."""
    memory = plan.situation.memory.of(container.name)
    runs = instance.state is State.RUNNING and instance is plan.situation.observed.latest(container.name)
    if not runs or not spec_changed(container, instance) or memory.image:
        return False
    if memory.trouble is not None and memory.trouble.reason != CREATING:
        return False
    plan.add(EnsureImage(container.name))
    return True


def _resize(plan: Plan) -> None:
    """Gives running containers the resources that were granted; those that need a new start for it are stopped."""
    situation = plan.situation
    if situation.memory.resize is None or situation.memory.resize.pending:
        return
    given = situation.memory.given
    running = []
    for container in resizable(situation.pod):
        instance = situation.observed.latest(container.name)
        if instance is None or instance.state is not State.RUNNING or f"stop:{instance.id}" in situation.busy:
            continue
        if needs_restart(container, instance, given):
            message = f"Container {container.name} resize requires restart"
            plan.stop(instance, situation.now + spec_grace_seconds(situation.pod), message)
        elif differences(container.resources, given_to(container, instance, given)):
            running.append((container.name, instance.id))
    if running:
        plan.add(ResizeContainers(tuple(running)))


def _reason_to_stop(situation: Situation, container: Container, instance: Instance) -> str:
    name = container.name
    if instance.state is State.UNKNOWN:
        return f"Container {name} is in unknown state, try killing it before restart"
    if instance is not situation.observed.latest(name):
        return f"Stopping container {name}"
    if spec_changed(container, instance):
        return f"Container {name} definition changed, will be restarted"
    if instance.id in situation.memory.hooks_failed:
        return "FailedPostStartHook"
    failed = situation.verdict(instance).failed
    if failed:
        again = "" if policy_of(situation.pod, container) == "Never" else ", will be restarted"
        return f"Container {name} failed {failed} probe{again}"
    return ""


def _debug(plan: Plan) -> None:
    """Ephemeral containers start at once, even while the pod is not initialised, and each but once."""
    for container in debuggers(plan.situation.pod):
        began = plan.situation.memory.of(container.name).attempts
        if plan.situation.observed.latest(container.name) is None and not began:
            _start(plan, container)


def _initialise(plan: Plan) -> bool:
    """Runs init containers in order and keeps sidecars running. True when the main containers may start."""
    situation = plan.situation
    observed = situation.observed
    initialised = any(observed.current(main.name) for main in situation.pod.spec.containers)
    for container in situation.pod.spec.init_containers:
        current = observed.current(container.name)
        if is_sidecar(situation.pod, container):
            if current and current.state in LIVE:
                _run_hook(plan, container, current)
            elif not current or current.state is State.EXITED:
                _start(plan, container)
            if not initialised and not (current and situation.is_started(current)):
                return False
        elif not initialised:
            if current and current.state is State.EXITED and not restarts(situation.pod, container, current):
                continue
            if not current or current.state is State.EXITED:
                _start(plan, container)
            elif current.state is State.RUNNING:
                _run_hook(plan, container, current)
            return False
    return True


def _start_main(plan: Plan) -> None:
    """All at once, except that a `postStart` holds up the containers after it, as the kubelet promises."""
    situation = plan.situation
    for container in situation.pod.spec.containers:
        latest = situation.observed.latest(container.name)
        if latest is None or (latest.state is State.EXITED and restarts(situation.pod, container, latest)):
            _start(plan, container)
        elif latest.state is State.RUNNING:
            _run_hook(plan, container, latest)
        hooked = container.lifecycle is not None and container.lifecycle.post_start is not None
        if hooked and (plan.is_under_way("start:" + container.name) or _is_starting(plan, container, latest)):
            return


def _is_starting(plan: Plan, container: Container, latest: Instance | None) -> bool:
    if latest is not None and latest.id in plan.situation.memory.hooks_due:
        return True
    return any(isinstance(action, StartContainer) and action.container == container.name for action in plan.actions)


def _run_hook(plan: Plan, container: Container, instance: Instance) -> None:
    if instance.id in plan.situation.memory.hooks_due:
        plan.add(RunPostStart(container.name, instance.id))


def _start(plan: Plan, container: Container) -> None:
    """Image, then container; not before its back-off is over."""
    situation = plan.situation
    sandbox, latest = situation.observed.sandbox, situation.observed.latest(container.name)
    memory = situation.memory.of(container.name)
    start = StartContainer(container.name, memory.attempts, sandbox.id if sandbox else "")
    if start.key in situation.busy or (latest and f"stop:{latest.id}" in situation.busy):
        return
    resized = latest is not None and needs_restart(container, latest, situation.memory.given)
    ready_at = restart_at(memory) if memory.attempts and not resized else 0.0
    if situation.now < ready_at:
        plan.wake_at(ready_at)
        plan.waiting[container.name] = _crash_loop(situation, container, memory)
        return
    if memory.trouble:
        plan.waiting[container.name] = ContainerStateWaiting(memory.trouble.message, memory.trouble.reason)
    plan.add(start if memory.image else EnsureImage(container.name))


def _crash_loop(situation: Situation, container: Container, memory: ContainerMemory) -> ContainerStateWaiting:
    meta = situation.pod.metadata
    delay = _duration(int(memory.back_off.delay if memory.back_off else 0))
    pod = f"{meta.name}_{meta.namespace}({meta.uid})"
    return ContainerStateWaiting(
        f"back-off {delay} restarting failed container={container.name} pod={pod}", "CrashLoopBackOff"
    )


def _duration(seconds: int) -> str:
    """`20s`, `2m40s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _collect_garbage(plan: Plan) -> None:
    """Of each name the newest dead container is kept, for its state and log; older ones go, and emptied sandboxes."""
    observed = plan.situation.observed
    kept: set[str] = set()
    for several in observed.containers.values():
        dead = [one for one in several if one.state is State.EXITED]
        for instance in dead[1:]:
            plan.add(RemoveContainer(instance.name, instance.id))
        kept |= {one.sandbox_id for one in several if one not in dead[1:]}
    for sandbox in observed.sandboxes[1:]:
        if sandbox.id not in kept:
            plan.add(RemoveSandbox(sandbox.id))
