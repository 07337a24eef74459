"""Watches what the node may run out of, and ends pods before it does.

Everything that decides is in `thresholds`, `ranking` and `storagelimits`. A look every ten seconds, as a kubelet's, is
a handful of system calls; files are walked through only for pods that have a limit to keep, or when disk is short.
Where the kernel tells of stalls for memory (PSI), a look follows at once. One pod goes at a time: then the next look
tells whether that was enough.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal, Protocol

from nodeagent.machine import admission
from nodeagent.machine.amounts import Amounts
from nodeagent.machine.measuring import measured
from nodeagent.machine.ranking import RESOURCES, PodUse, is_critical, low_message, ranked
from nodeagent.machine.storagelimits import fault, is_limited
from nodeagent.machine.thresholds import CONDITIONS, PIDS, Standing, Threshold, assess, due, is_met
from nodeagent.pods.actions import Failure
from nodeagent.pods.node import Directories
from nodeagent.pods.podstate import PodState
from nodeagent.runtime.interface import Runtime, RuntimeFailure
from schemas.core.pod import Pod

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
WALK_SHARE = 20
"""A walk through files that took long is not repeated before so many times as long."""
AT_ONCE = 1.0
"""Seconds that a pod has for its end under a hard threshold."""
GONE_SECONDS = 30.0
"""How long the end of a pod is waited for before another one is chosen."""
EVICTED = "Evicted"


class Pods(Protocol):
    """What the node's workers are asked."""

    def active(self) -> list[PodState]:
        """Of pods that have not run to their end."""

    def evict(self, uid: str, failure: Failure) -> bool: ...

    async def remove_dead(self) -> None:
        """Containers that have ended, and are kept for their logs alone."""


Tell = Callable[[Literal["Normal", "Warning"], str, str], None]
"""Takes an Event of the node: type, reason, message."""


class Pressure:
    """`changed` is called when the node's conditions are others than before."""

    def __init__(
        self,
        thresholds: tuple[Threshold, ...],
        *,
        transition: float,
        soft_grace: float,
        look: Callable[[], Amounts],
        pods: Pods,
        runtime: Runtime,
        directories: Directories,
        free_images: Callable[[], Awaitable[int]],
        tell: Tell,
        changed: Callable[[], None],
    ) -> None:
        self._thresholds, self._transition, self._soft_grace = thresholds, transition, soft_grace
        self._amounts, self._pods, self._runtime = look, pods, runtime
        self._directories, self._free_images = directories, free_images
        self._tell, self._changed = tell, changed
        self._standing = Standing()
        self._wake = asyncio.Event()
        self._walk_again = 0.0
        self._leaving: tuple[str, float] = ("", 0.0)
        self._in_vain: tuple[Threshold, frozenset[str]] | None = None

    @property
    def conditions(self) -> frozenset[str]:
        """Those that are true."""
        return self._standing.conditions

    def refusal(self, pod: Pod) -> Failure | None:
        """Why a pod that is new to the node does not start here."""
        return admission.refusal(pod, self.conditions)

    async def run(self) -> None:
        """Until cancelled."""
        from nodeagent.machine.stalls import stalls_of_memory  # where the kernel has it

        with stalls_of_memory(self._wake.set):
            while True:
                try:
                    await self.look()
                except RuntimeFailure as error:
                    log.debug("cannot tell what pods use error=%s", error)  # that it is away is said elsewhere
                except OSError as error:
                    log.warning("cannot tell what the node is short of error=%s", error)
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wake.wait()
                    await asyncio.sleep(AT_ONCE)  # stalls come in crowds
                except TimeoutError:
                    continue
                self._wake.clear()

    async def look(self) -> None:
        """One look, and at most one pod that goes."""
        now = asyncio.get_running_loop().time()
        before = self._standing.conditions
        observed = self._amounts().observations()
        self._standing = assess(self._thresholds, observed, self._standing, now, self._transition)
        if self._standing.conditions != before:
            self._say(before)
        if await self._hold_to_limits(now):
            return
        threshold = due(self._standing, now)
        if threshold is None:
            self._in_vain = None
        elif not self._is_leaving(now):
            await self._relieve(threshold, now)

    def _say(self, before: frozenset[str]) -> None:
        for name in sorted(self.conditions - before):
            log.warning("the node is short of something condition=%s", name)
        for name in sorted(before - self.conditions):
            log.info("the node is no longer short of anything condition=%s", name)
        self._changed()

    def _is_leaving(self, now: float) -> bool:
        """Whether the pod that was told last has still to end."""
        uid, since = self._leaving
        return now - since < GONE_SECONDS and any(state.uid == uid for state in self._pods.active())

    # Limits of single pods.

    async def _hold_to_limits(self, now: float) -> bool:
        limited = [state for state in self._pods.active() if is_limited(state.pod) and not is_critical(state.pod)]
        if not limited or now < self._walk_again:
            return False
        went = False
        for use in await self._measure(limited, files=True):
            if message := fault(use):
                went |= self._evict(use.pod, Failure(EVICTED, message, 0.0))
        return went

    async def _measure(self, states: Iterable[PodState], *, files: bool, pids: bool = False) -> list[PodUse]:
        loop = asyncio.get_running_loop()
        usages = await self._runtime.usage()
        began = loop.time()
        found = await asyncio.to_thread(measured, list(states), usages, self._directories, files=files, pids=pids)
        if files:
            self._walk_again = loop.time() + WALK_SHARE * (loop.time() - began)
        return found

    # The node as a whole.

    async def _relieve(self, threshold: Threshold, now: float) -> None:
        """Where nobody could be evicted it is not said and measured again for the same pods: a full disk is spared."""
        resource = RESOURCES[threshold.signal]
        asked = threshold, frozenset(state.uid for state in self._pods.active())
        is_news = asked != self._in_vain
        if is_news:
            self._tell("Warning", "EvictionThresholdMet", f"Attempting to reclaim {resource}")
            log.warning("eviction threshold met signal=%s soft=%s", threshold.signal, threshold.grace is not None)
        is_disk = CONDITIONS[threshold.signal] == "DiskPressure"
        if (is_disk and await self._reclaim(threshold)) or not is_news:
            return
        uses = await self._measure(self._pods.active(), files=is_disk, pids=threshold.signal == PIDS)
        found = self._amounts().observations().get(threshold.signal)
        grace = AT_ONCE if threshold.grace is None else self._soft_grace
        for use in ranked(uses, threshold.signal):
            if self._evict(use.pod, Failure(EVICTED, low_message(use, threshold, found), grace)):
                self._leaving = (use.pod.metadata.uid, now)
                return
        self._in_vain = asked
        log.warning("no pod is left that may be evicted signal=%s", threshold.signal)

    async def _reclaim(self, threshold: Threshold) -> bool:
        """What nobody needs: dead containers, then images. True when that was enough."""
        await self._pods.remove_dead()
        freed = await self._free_images()
        if freed:
            log.info("removed images that nobody needs signal=%s bytes=%d", threshold.signal, freed)
        return not is_met(threshold, self._amounts().observations(), with_reclaim=True)

    def _evict(self, pod: Pod, failure: Failure) -> bool:
        if not self._pods.evict(pod.metadata.uid, failure):
            return False
        meta = pod.metadata
        log.warning("evicted pod=%s/%s because=%s", meta.namespace, meta.name, failure.message)
        return True
