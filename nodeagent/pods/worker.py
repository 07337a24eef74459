"""The worker of one pod: look, decide, act, report; again whenever something may have changed.

What runs is read from the runtime, never assumed: after an action that changes it nothing is decided before a new
look. Actions run side by side, each in a task of its own, so that none of them holds up the end of the pod.
"""

import asyncio
import logging
from collections.abc import Mapping
from itertools import chain

from msgspec.structs import replace

from nodeagent.lease import NEVER as NO_END
from nodeagent.pods import files
from nodeagent.pods.actions import (
    REJECTED,
    Action,
    Decision,
    Failure,
    RemoveContainer,
    RemoveSandbox,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from nodeagent.pods.context import Context
from nodeagent.pods.executor import Executor, Failed
from nodeagent.pods.lifecycle import decide, remember
from nodeagent.pods.memory import NEVER, after_restart
from nodeagent.pods.observed import Observed, observed
from nodeagent.pods.podstate import PodState, config_keys
from nodeagent.pods.probing import Probing
from nodeagent.pods.resizer import read as read_given
from nodeagent.pods.resizing import is_asked
from nodeagent.pods.resources import all_containers
from nodeagent.pods.situation import Situation
from nodeagent.pods.status import GOING_DOWN, Story, status_of
from nodeagent.runtime.interface import Container, RuntimeFailure, Sandbox, State, Unavailable
from schemas import podtokens
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from schemas.messages import Config

log = logging.getLogger(__name__)

_CHANGES_RUNTIME = (StartContainer, StopContainer, RemoveContainer, StopSandbox, RemoveSandbox)
RETRY_LOOK = 1.0

Seen = tuple[list[Sandbox], list[Container]]


class PodWorker:
    """`observed_`: what the last full look found of the pod; for one that is new to the node, nothing."""

    def __init__(
        self, context: Context, pod: Pod, configs: Mapping[str, Config], observed_: Observed, *, dropped: bool = False
    ) -> None:
        now = context.clock.now()
        self.state = PodState(pod, configs, observed_, now)
        self.dropped = dropped
        """The digest names the pod no more: it ends, and then it is forgotten."""
        self.removed = False
        self.is_held = False
        """It is fenced and its lease has run out."""
        self._going_down: float | None = None
        self._context = context
        self._executor = Executor(context, self.state, self.wake)
        self._probing = Probing(context, self.state, self.wake)
        self._config_keys = config_keys(pod)
        self._busy: dict[str, float] = {}
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._look_due = False
        self._look_everywhere = False
        self._refresh_due = False
        self._reported: tuple[int, PodStatus, bool] | None = None
        self._told_waits: dict[str, str] = {}
        self._adopt(now.timestamp() - self.state.start_time.timestamp())

    def _adopt(self, age: float) -> None:
        finished = files.read_finished(self._context.directories, self.state.uid)
        since = self._context.clock.monotonic() - max(age, 0.0)
        failure = files.read_failure(self._context.directories, self.state.uid)
        self.state.memory = replace(
            self.state.memory,
            active_since=since,
            finished=finished is not None,
            failure=failure,
            given=read_given(self._context.directories, self.state.uid),
        )
        if finished is not None:
            self.state.status = finished.status

    # What others say to the worker; all of it only leads to another look or decision.

    def assign(self, pod: Pod, configs: Mapping[str, Config]) -> None:
        """The pod as it shall be now."""
        if self.dropped:
            return
        before = self.state.configs
        self.state.configs = configs
        if pod is not self.state.pod and pod != self.state.pod:
            self.state.pod = pod
            self._config_keys = config_keys(pod)
        elif all(before.get(key) == configs.get(key) for key in self._config_keys):
            return
        self.state.memory = self.state.memory.without_waits("start:", "volumes")
        self._refresh_due = self.state.memory.volumes_ready
        self.wake()

    def fail(self, failure: Failure) -> bool:
        """The node ends the pod for good. Kept first, so that no agent after this one starts the pod again.

        False where there is nothing left to end.
        """
        memory = self.state.memory
        if self.dropped or memory.finished or memory.failure is not None:
            return False
        try:
            files.keep_failure(self._context.directories, self.state.uid, failure)
        except OSError as error:  # the disk may be what is full; the report stays with the reconciler
            log.warning("cannot keep why a pod was ended uid=%s reason=%s error=%s", self.state.uid, failure, error)
        self.state.memory = replace(memory, failure=failure)
        text = failure.message.removeprefix(REJECTED)
        self._context.event(self.state.pod, "Warning", failure.reason, text)
        self.wake()
        return True

    @property
    def is_new(self) -> bool:
        """Nothing of the pod has ever begun on this node."""
        state, memory = self.state, self.state.memory
        ended = memory.finished or memory.failure is not None or state.pod.metadata.deletion_timestamp is not None
        return not ended and not state.observed.sandboxes

    def go_down(self, seconds: float | None) -> None:
        """The machine goes down, and this is how long the pod may take to end; None: it does not, after all."""
        if seconds is not None and self.state.pod.spec.restart_policy == "Never":
            self.fail(replace(GOING_DOWN, grace=seconds))
        self._going_down = seconds
        self.wake()

    def drop(self) -> None:
        self.dropped = True
        self.wake()

    def look_again(self, everywhere: bool = False) -> None:
        self._look_due = True
        self._look_everywhere |= everywhere
        self.wake()

    def was_observed(self, found: Observed) -> None:
        """A full look has found this. While actions are under way it may be old: then the worker looks itself."""
        if self._busy:
            self.look_again(everywhere=True)
        elif found != self.state.observed:
            self._take(found)
            self.wake()

    def images_came(self) -> None:
        self.state.memory = self.state.memory.without_waits("image:")
        self.wake()

    def wake(self) -> None:
        self._wake.set()

    @property
    def is_busy(self) -> bool:
        return bool(self._busy) or self._look_due

    # The loop.

    async def run(self, available: asyncio.Event) -> None:
        """Until the pod is forgotten. Nothing is concluded while the runtime is away."""
        try:
            self._wake.set()
            while not (self.removed and self.dropped):
                await self._wake.wait()
                await available.wait()
                self._wake.clear()
                if self._look_due and not await self._look():
                    continue
                if not self._look_due:
                    self._step()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """Containers run on; only what this worker does ends."""
        self._set_timer(None)
        self._probing.stop()
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> bool:
        """True when what was found is whole."""
        self._look_due = False
        everywhere, self._look_everywhere = self._look_everywhere, False
        try:
            sandboxes, containers = await (self._look_everywhere_now() if everywhere else self._look_at_known())
        except RuntimeFailure as error:
            self._look_due, self._look_everywhere = True, everywhere
            self._look_failed(error)
            return False
        self._take(observed(sandboxes, containers))
        return True

    async def _look_at_known(self) -> Seen:
        """Both calls at once for each sandbox that is known: this is on the way from a crash to the next start."""
        runtime = self._context.runtime
        known = [one.id for one in self.state.observed.sandboxes]
        sandboxes = asyncio.gather(*(runtime.list_sandboxes(id_) for id_ in known))
        containers = asyncio.gather(*(runtime.list_containers(id_) for id_ in known))
        found, held = await asyncio.gather(sandboxes, containers)
        return list(chain(*found)), list(chain(*held))

    async def _look_everywhere_now(self) -> Seen:
        """Also for sandboxes of which no answer ever came."""
        runtime = self._context.runtime
        sandboxes = [one for one in await runtime.list_sandboxes() if one.uid == self.state.uid]
        held = await asyncio.gather(*(runtime.list_containers(one.id) for one in sandboxes))
        return sandboxes, list(chain(*held))

    def _look_failed(self, error: RuntimeFailure) -> None:
        if isinstance(error, Unavailable):
            self._context.lost()
            self.wake()
            return
        log.warning("cannot look at pod uid=%s error=%s", self.state.uid, error)
        self._set_timer(self._context.clock.monotonic() + RETRY_LOOK)

    def _take(self, found: Observed) -> None:
        """What was found counts; how containers ended is read while their files are there."""
        state, owners = self.state, self._context.owners
        for id_ in state.observed.ids():
            owners.pop(id_, None)
        for id_ in found.ids():
            owners[id_] = state.uid
        whole = {one.id for one in state.observed.all() if one.state is State.EXITED and not one.provisional}
        state.observed = found
        ended = {one.id: one for one in found.all() if one.state is State.EXITED}
        specs = {one.name: one for one in all_containers(state.pod)}
        state.messages = {
            id_: state.messages[id_]
            if id_ in state.messages and id_ in whole
            else files.read_message(self._context.directories, state.pod, specs[one.name], one)
            for id_, one in ended.items()
            if one.name in specs
        }

    def _step(self) -> None:
        lease_left = self._context.lease.left(self.state.pod)
        self._hold(lease_left <= 0)
        situation = self._situation()
        self.state.memory = remember(situation)
        decision = decide(replace(situation, memory=self.state.memory))
        if self.state.memory.failure is None and decision.failure is not None:
            self.state.memory = replace(self.state.memory, failure=decision.failure)
        self._probing.follow(situation.ending)
        self._tell_waits(decision)
        self._report(replace(situation, memory=self.state.memory), decision)
        self._refresh_volumes()
        for action in decision.actions:
            self._begin(action)
        ends = self._context.clock.monotonic() + lease_left if 0 < lease_left < NO_END else None
        self._set_timer(min((at for at in (decision.wake_at, ends) if at is not None), default=None))

    def _hold(self, held: bool) -> None:
        """Says when the pod has to stop for want of a lease; one that has not begun only waits for its first."""
        if held and not self.is_held and self.state.observed.live():
            meta = self.state.pod.metadata
            log.warning("the lease of a fenced pod has run out, stopping it pod=%s/%s", meta.namespace, meta.name)
            message = "Stopping the pod: the node has had no word of the reconciler for its lease"
            self._context.event(self.state.pod, "Warning", "LeaseExpired", message)
        self.is_held = held

    def _situation(self) -> Situation:
        pod, memory = self.state.pod, self.state.memory
        return Situation(
            pod=pod,
            observed=self.state.observed,
            memory=memory,
            now=self._context.clock.monotonic(),
            ending=self.dropped or pod.metadata.deletion_timestamp is not None,
            verdicts=self._probing.verdicts(),
            busy=dict(self._busy),
            held=self.is_held,
            going_down=self._going_down,
            room=self._context.room(self.state.uid) if is_asked(pod, self.state.observed, memory.given) else None,
            lacks_token=not memory.volumes_ready and not podtokens.are_there(pod, self.state.configs),
        )

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = None if at is None else max(at - self._context.clock.monotonic(), 0.0)
        self._timer = None if delay is None else asyncio.get_running_loop().call_later(delay, self.wake)

    def _refresh_volumes(self) -> None:
        """The content of volumes follows what they show. What can no longer be had stays as it was."""
        if not self._refresh_due:
            return
        self._refresh_due = False
        try:
            self._executor.prepare_volumes()
        except Failed:
            log.info("volumes keep their old content uid=%s", self.state.uid)

    # Actions.

    def _begin(self, action: Action) -> None:
        if isinstance(action, StartContainer):
            memory, name = self.state.memory, action.container
            self.state.memory = memory.with_container(
                name, after_restart(memory.of(name), self._context.clock.monotonic())
            )
        hurried = self._operations.pop(action.key, None)
        if hurried is not None:
            hurried.cancel()
        self._busy[action.key] = action.kill_at if isinstance(action, StopContainer) else 0.0
        name = f"pod-action[{self.state.pod.metadata.namespace}/{self.state.pod.metadata.name} {action.key}]"
        self._operations[action.key] = asyncio.create_task(self._perform(action), name=name)

    async def _perform(self, action: Action) -> None:
        task = asyncio.current_task()
        try:
            update = await self._executor.perform(action)
            self.state.memory = update(self.state.memory.succeeded(action.key))
        except Unavailable:
            self._look_due = True
            self._look_everywhere = True
            self._context.lost()
        except Failed as failed:
            self._failed(action, NEVER if failed.on_change else None)
            self.state.memory = failed.update(self.state.memory)
        except (RuntimeFailure, OSError) as error:
            log.warning("pod action failed uid=%s action=%s error=%s", self.state.uid, action.key, error)
            self._failed(action, None)
        except Exception:
            log.exception("pod action broke uid=%s action=%s", self.state.uid, action.key)
            self._failed(action, None)
        finally:
            if self._operations.get(action.key) is task:  # it was not replaced by a more hurried one
                del self._operations[action.key]
                del self._busy[action.key]
            self._look_due |= isinstance(action, _CHANGES_RUNTIME)
            self.wake()

    def _failed(self, action: Action, at: float | None) -> None:
        self.state.memory = self.state.memory.failed(action.key, self._context.clock.monotonic(), at)
        if isinstance(action, RunSandbox):  # it may have been made all the same
            self._look_due = self._look_everywhere = True

    # Telling.

    def _tell_waits(self, decision: Decision) -> None:
        """One event for each end of a container that has to wait to run again."""
        for name, waiting in decision.waiting.items():
            latest = self.state.observed.latest(name)
            if waiting.reason == "CrashLoopBackOff" and latest and self._told_waits.get(name) != latest.id:
                self._told_waits[name] = latest.id
                meta = self.state.pod.metadata
                pod = f"{meta.name}_{meta.namespace}({meta.uid})"
                message = f"Back-off restarting failed container {name} in pod {pod}"
                self._context.event(self.state.pod, "Warning", "BackOff", message, name)

    def _report(self, situation: Situation, decision: Decision) -> None:
        state = self.state
        meta = state.pod.metadata
        if decision.removed and self.dropped:
            self._context.reporter.forget(meta.uid)
        elif not self._probing.undecided and not self.dropped:
            taken_away = situation.ending and not state.observed.sandboxes and state.status.phase
            if not state.memory.finished and not taken_away:
                state.status = status_of(situation, self._story(decision))
            report = (meta.generation, state.status, decision.removed)
            if report != self._reported:
                self._reported = report
                self._context.reporter.pod(
                    meta.uid, meta.generation, meta.namespace, meta.name, state.status, decision.removed
                )
        self.removed = decision.removed

    def _story(self, decision: Decision) -> Story:
        state, context = self.state, self._context
        return Story(
            decision=decision,
            facts=state.facts(context.node),
            now=context.clock.now(),
            start_time=state.start_time,
            messages=state.messages,
            before=state.status,
        )
