"""The node's metrics in Prometheus' text format. Pure.

Names of the kubelet where it has one (https://kubernetes.io/docs/reference/instrumentation/metrics/), `wherry_…` else;
written by hand, for the usual library weighs more than all that it would say here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec import field

from nodeagent.local.views import NodeView
from nodeagent.pods.podstate import PodState
from nodeagent.stats import NANOSECONDS, Look
from nodeagent.tallies import Tallies

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


class Seen(msgspec.Struct, frozen=True):
    """`backlog`: messages that wait for the link. `look`: what was used, where somebody wants to know it; `owners`:
    the pod's uid and the container's name, by the container's id."""

    backlog: int = 0
    look: Look | None = None
    owners: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def rendered(node: NodeView, states: Sequence[PodState], tallies: Tallies, seen: Seen) -> bytes:
    return "".join(_lines(node, states, tallies, seen)).encode()


def _lines(node: NodeView, states: Sequence[PodState], tallies: Tallies, seen: Seen) -> Iterator[str]:
    yield from _family("wherry_agent_info", "gauge", "Who tells this.", [(_node_labels(node), 1)])
    yield from _family("wherry_pods", "gauge", "Pods of the node, by phase.", _by("phase", node.pods))
    running = sum(_is_running(state) for state in states)
    yield from _family("kubelet_running_pods", "gauge", "Pods that have a running container.", [((), running)])
    yield from _family(
        "kubelet_running_containers", "gauge", "Containers, by state.", _by("container_state", _containers(states))
    )
    yield from _family(
        "wherry_container_restarts_total", "counter", "How often each container was started again.", _restarts(states)
    )
    yield from _family("wherry_link_up", "gauge", "Whether there is a link.", [((), node.link.connected)])
    yield from _family("wherry_outbox_messages", "gauge", "What waits for the link.", [((), seen.backlog)])
    yield from _family(
        "wherry_node_condition", "gauge", "1 for each condition of the node that is true.", _conditions(node)
    )
    yield from _family(
        "wherry_written_bytes_total", "counter", "Written to disks, by what for.", _by("what", node.written)
    )
    probes = [((("probe_type", kind), ("result", result)), count) for (kind, result), count in tallies.probes.items()]
    yield from _family("prober_probe_total", "counter", "Looks of probes, by what they found.", sorted(probes))
    yield from _operations(tallies)
    if seen.look is not None:
        yield from _used(seen.look, {state.uid: state for state in states}, seen.owners)
    yield from _family("process_resident_memory_bytes", "gauge", "Of the agent.", [((), node.resident)])
    yield from _family("process_start_time_seconds", "gauge", "Of the agent.", [((), node.since.timestamp())])


def _used(look: Look, states: Mapping[str, PodState], owners: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """As a kubelet's `/metrics/resource`."""
    spent: list[Sample] = []
    held: list[Sample] = []
    for id_, usage in look.containers.items():
        uid, name = owners.get(id_, ("", ""))
        if uid in states:
            meta = states[uid].pod.metadata
            labels: Labels = (("container", name), ("namespace", meta.namespace), ("pod", meta.name))
            spent.append((labels, usage.cpu_nanoseconds / NANOSECONDS))
            held.append((labels, usage.memory_bytes))
    cpu, memory = "cpu_usage_seconds_total", "memory_working_set_bytes"
    yield from _family(f"container_{cpu}", "counter", "CPU time of each container.", sorted(spent))
    yield from _family(f"container_{memory}", "gauge", "Memory of each container.", sorted(held))
    node = [((), look.node_nanoseconds / NANOSECONDS)]
    yield from _family(f"node_{cpu}", "counter", "CPU time of the machine.", node)
    yield from _family(f"node_{memory}", "gauge", "Memory of the machine that is in use.", [((), look.node_memory)])


def _operations(tallies: Tallies) -> Iterator[str]:
    known = sorted(tallies.operations.items())
    name = "kubelet_runtime_operations"
    calls = [((("operation_type", kind),), one.calls) for kind, one in known]
    yield from _family(f"{name}_total", "counter", "Calls to the container runtime.", calls)
    failures = [((("operation_type", kind),), one.failures) for kind, one in known]
    yield from _family(f"{name}_errors_total", "counter", "Those of them that failed.", failures)
    yield f"# HELP {name}_duration_seconds How long they took.\n# TYPE {name}_duration_seconds summary\n"
    for kind, one in known:
        labels: Labels = (("operation_type", kind),)
        yield _line(f"{name}_duration_seconds_sum", labels, one.seconds)
        yield _line(f"{name}_duration_seconds_count", labels, one.calls)


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    """Nothing where there is nothing to tell."""
    told = [_line(name, labels, amount) for labels, amount in samples]
    if told:
        yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
        yield from told


def _line(name: str, labels: Labels, amount: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    number = repr(float(amount)) if amount != int(amount) else str(int(amount))
    return f"{name}{{{shown}}} {number}\n" if shown else f"{name} {number}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _by(label: str, amounts: Mapping[str, int]) -> list[Sample]:
    return [(((label, name),), amount) for name, amount in amounts.items()]


def _node_labels(node: NodeView) -> Labels:
    return (("node", node.node), ("cluster", node.cluster), ("version", node.version), ("runtime", node.runtime))


def _is_running(state: PodState) -> bool:
    return any(one.state is not None and one.state.running for one in state.status.container_statuses)


def _containers(states: Iterable[PodState]) -> dict[str, int]:
    found = Counter[str]()
    for state in states:
        for one in state.status.container_statuses:
            told = one.state
            name = "waiting" if told is None or told.waiting else "running" if told.running else "exited"
            found[name] += 1
    return dict(sorted(found.items()))


def _restarts(states: Iterable[PodState]) -> list[Sample]:
    samples: list[Sample] = []
    for state in states:
        meta = state.pod.metadata
        for one in (*state.status.init_container_statuses, *state.status.container_statuses):
            labels = (("namespace", meta.namespace), ("pod", meta.name), ("container", one.name))
            samples.append((labels, one.restart_count))
    return sorted(samples)


def _conditions(node: NodeView) -> list[Sample]:
    return [((("condition", type_),), status.startswith("True")) for type_, status in node.conditions.items()]
