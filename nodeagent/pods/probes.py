"""Probes of a container: what their results mean (`Counter`, pure), and the tasks that take them (`ContainerProbes`).

A startup probe holds back the two others until it has succeeded. The first look comes at once, and until the first
success it is repeated quickly within the period: such early looks can only succeed; failures are counted at the pace
that the spec asks for.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace

from nodeagent.pods.checks import Outcome, Reach, Result, check_exec, port_of
from nodeagent.pods.memory import Verdict
from nodeagent.runtime.interface import Runtime
from nodeagent.tallies import TALLIES
from schemas.core.container import Container, Probe

Kind = Literal["startup", "liveness", "readiness"]

DEFAULT_PERIOD, DEFAULT_TIMEOUT, DEFAULT_FAILURES = 10, 1, 3
FIRST_RETRY = 0.1
FIRST_EXEC_RETRY = 0.5
"""Seconds until the first early look; each further one waits twice as long. A command costs the node far more."""


class Counter(msgspec.Struct, frozen=True):
    """Consecutive results of one probe. `good` is what they mean: ready, alive or started."""

    kind: Kind
    good: bool
    success_threshold: int = 1
    failure_threshold: int = DEFAULT_FAILURES
    successes: int = 0
    failures: int = 0
    failed: bool = False
    """A startup or liveness probe has failed for good: the container is to be restarted."""

    def after(self, outcome: Outcome, early: bool = False) -> "Counter":
        """`early`: a look between two of the period. Its failure means nothing."""
        if outcome is Outcome.UNKNOWN:
            return self
        if outcome is Outcome.SUCCESS:
            if early and self.success_threshold > 1:
                return self
            successes = min(self.successes + 1, self.success_threshold)
            return replace(self, successes=successes, failures=0, good=self.good or successes >= self.success_threshold)
        if early:
            return self
        failures = min(self.failures + 1, self.failure_threshold)
        over = failures >= self.failure_threshold
        return replace(
            self,
            successes=0,
            failures=failures,
            good=self.good and not over,
            failed=over and self.kind != "readiness",
        )


def counter(kind: Kind, probe: Probe) -> Counter:
    """Before any result a container counts as alive, but neither as started nor as ready."""
    return Counter(kind, kind == "liveness", probe.success_threshold or 1, probe.failure_threshold or DEFAULT_FAILURES)


def probes_of(container: Container) -> dict[Kind, Probe]:
    named: dict[Kind, Probe | None] = {
        "startup": container.startup_probe,
        "liveness": container.liveness_probe,
        "readiness": container.readiness_probe,
    }
    return {kind: probe for kind, probe in named.items() if probe is not None}


class ContainerProbes:
    """The probes of one running container. `changed` is called when the verdict is another one."""

    def __init__(
        self,
        runtime: Runtime,
        reach: Reach,
        container: Container,
        container_id: str,
        address: str,
        *,
        running_for: float,
        changed: Callable[[], None],
        unhealthy: Callable[[str], None],
    ) -> None:
        """`address`: of the pod. `running_for`: seconds since the container's start."""
        self.container_id = container_id
        self._runtime = runtime
        self._reach = reach
        self._container = container
        self._address = address
        self._changed = changed
        self._unhealthy = unhealthy
        self._probes = probes_of(container)
        self._counters = {kind: counter(kind, probe) for kind, probe in self._probes.items()}
        self._started = asyncio.Event()
        if "startup" not in self._probes:
            self._started.set()
        self._looked: set[Kind] = set()
        self._tasks: dict[Kind, asyncio.Task[None]] = {
            kind: asyncio.create_task(self._run(kind, running_for), name=f"probe[{container.name}/{kind}]")
            for kind in self._probes
        }

    @property
    def verdict(self) -> Verdict:
        """Startup and readiness as they are; what failed, with the grace that its probe asks for."""
        failed = next((kind for kind, one in self._counters.items() if one.failed), None)
        readiness = self._counters.get("readiness")
        return Verdict(
            started=self._started.is_set(),
            ready=readiness is None or readiness.good,
            failed=failed or "",
            grace=self._probes[failed].termination_grace_period_seconds if failed else None,
        )

    @property
    def undecided(self) -> bool:
        """Readiness has not been looked at yet: of an adopted container nothing should be said before."""
        return "readiness" in self._probes and "readiness" not in self._looked

    def keep_readiness(self) -> None:
        """The pod ends: it is not restarted any more, but whether it can still serve is told."""
        for kind, task in self._tasks.items():
            if kind != "readiness":
                task.cancel()

    def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, kind: Kind, running_for: float) -> None:
        probe = self._probes[kind]
        period = float(probe.period_seconds or DEFAULT_PERIOD)
        await asyncio.sleep(max(probe.initial_delay_seconds - running_for, 0.0))
        loop = asyncio.get_running_loop()
        while not self._counters[kind].failed:
            if kind != "startup":
                await self._started.wait()
            next_look = loop.time() + period
            await self._look(kind)
            if kind == "startup" and self._started.is_set():
                return
            await self._look_early(kind, next_look)
            await asyncio.sleep(max(next_look - loop.time(), 0.0))

    async def _look_early(self, kind: Kind, until: float) -> None:
        """Until the first success, which is what people wait for."""
        loop = asyncio.get_running_loop()
        probe = self._probes[kind]
        delay = FIRST_EXEC_RETRY if probe.exec else FIRST_RETRY
        while kind != "liveness" and self._is_awaited(kind) and loop.time() + delay < until:
            await asyncio.sleep(delay)
            await self._look(kind, early=True)
            delay *= 2

    def _is_awaited(self, kind: Kind) -> bool:
        counted = self._counters[kind]
        return not counted.good and not counted.failed and counted.success_threshold == 1

    async def _look(self, kind: Kind, early: bool = False) -> None:
        before = self.verdict, self.undecided
        result = await self._check(self._probes[kind])
        TALLIES.probes[kind.capitalize(), result.outcome.value] += 1
        self._looked.add(kind)
        self._counters[kind] = self._counters[kind].after(result.outcome, early)
        if kind == "startup" and self._counters[kind].good:
            self._started.set()
        if result.outcome is Outcome.FAILURE and not early:
            self._unhealthy(f"{kind.capitalize()} probe failed: {result.output}")
        if (self.verdict, self.undecided) != before:
            self._changed()

    async def _check(self, probe: Probe) -> Result:
        timeout = float(probe.timeout_seconds or DEFAULT_TIMEOUT)
        try:
            if probe.exec:
                return await check_exec(self._runtime, self.container_id, probe.exec.command, timeout)
            if probe.http_get:
                return await self._reach.http(probe.http_get, self._container, self._address, timeout)
            if probe.tcp_socket:
                port = port_of(probe.tcp_socket.port, self._container)
                return await self._reach.tcp(probe.tcp_socket.host or self._address, port, timeout)
            if probe.grpc:
                return await self._reach.grpc(self._address, probe.grpc.port, probe.grpc.service, timeout)
        except ValueError as error:
            return Result(Outcome.UNKNOWN, str(error))
        return Result(Outcome.SUCCESS, "a probe that asks nothing is content")
