"""Which containers of a pod are probed: those that run, each from its start to its end."""

from collections.abc import Callable
from functools import partial

from nodeagent.pods.context import Context
from nodeagent.pods.memory import Verdict
from nodeagent.pods.podstate import PodState
from nodeagent.pods.probes import ContainerProbes, probes_of
from nodeagent.pods.resources import all_containers
from nodeagent.runtime.interface import State


class Probing:
    """The probes of one pod. `changed` is called when a verdict is another one."""

    def __init__(self, context: Context, state: PodState, changed: Callable[[], None]) -> None:
        self._context = context
        self._state = state
        self._changed = changed
        self._probes: dict[str, ContainerProbes] = {}
        self._adopted = {one.id for one in state.observed.all()}
        """Containers of an earlier agent: what they are is only told when they have been looked at."""

    def verdicts(self) -> dict[str, Verdict]:
        """By container id. A container whose probes have not begun is neither started nor ready."""
        found = {one.container_id: one.verdict for one in self._probes.values()}
        for container in all_containers(self._state.pod):
            latest = self._state.observed.latest(container.name)
            if latest is not None and latest.id not in found and probes_of(container):
                found[latest.id] = Verdict(
                    started=container.startup_probe is None, ready=container.readiness_probe is None
                )
        return found

    @property
    def undecided(self) -> bool:
        return any(one.undecided for one in self._probes.values() if one.container_id in self._adopted)

    def follow(self, ending: bool) -> None:
        """Begins with containers that run, stops with those that do not. A pod that ends is not restarted any more."""
        context, state = self._context, self._state
        facts = state.facts(context.node)
        address = next(iter(facts.ips or (context.node.addresses if state.pod.spec.host_network else ())), "127.0.0.1")
        running = {}
        for container in all_containers(state.pod):
            latest = state.observed.latest(container.name)
            if latest is not None and latest.state is State.RUNNING:
                running[container.name] = (container, latest)
        for name, probes in list(self._probes.items()):
            if name not in running or running[name][1].id != probes.container_id:
                self._probes.pop(name).stop()
            elif ending:
                probes.keep_readiness()
        for name, (container, latest) in running.items():
            if name in self._probes or ending or not probes_of(container):
                continue
            started_at = latest.started_at or latest.created_at
            self._probes[name] = ContainerProbes(
                context.runtime,
                context.reach,
                container,
                latest.id,
                address,
                running_for=max((context.clock.now() - started_at).total_seconds(), 0.0),
                changed=self._changed,
                unhealthy=partial(self._tell, name),
            )

    def _tell(self, name: str, text: str) -> None:
        self._context.event(self._state.pod, "Warning", "Unhealthy", text, name)

    def stop(self) -> None:
        for probes in self._probes.values():
            probes.stop()
        self._probes.clear()
