"""Whether a scheduler gives the recorded answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import structs

from schemas.core.pod import Pod
from schemas.meta import Object
from tests.oracles.scheduler.answers import Answer, Limits, Scheduler
from tests.oracles.scheduler.cases import Case, Json

_ENDING = datetime(2026, 1, 1, tzinfo=UTC)
"""When the victims of a preemption end; that they do is all that counts."""


def differences(case: Case, make: Callable[[Iterable[Object], Limits], Scheduler]) -> list[str]:
    """What the scheduler answers otherwise; later pods of a case follow from where the earlier ones went."""
    scheduler = make(case.objects, case.limits)
    pods = {f"{one.metadata.namespace}/{one.metadata.name}": one for one in case.objects if isinstance(one, Pod)}
    found = []
    for pod, result in zip(case.pending, case.results, strict=True):
        if result.get("bypassed"):
            scheduler.place(pod, pod.spec.node_name)
            continue
        answer = scheduler.ask(pod)
        found += [f"{case.id} {pod.metadata.name}: {fault}" for fault in _faults(answer, result)]
        if "node" in result:
            scheduler.place(pod, result["node"])
            pods[f"{pod.metadata.namespace}/{pod.metadata.name}"] = _on(pod, result["node"])
        elif "nominatedNode" in result:
            ending = [_ending(pods[name]) for name in result["preempted"]]
            scheduler.nominate(pod, result["nominatedNode"], ending)
        else:
            scheduler.forget(pod)
    return found


def _on(pod: Pod, node: str) -> Pod:
    return structs.replace(pod, spec=structs.replace(pod.spec, node_name=node))


def _ending(pod: Pod) -> Pod:
    return structs.replace(pod, metadata=structs.replace(pod.metadata, deletion_timestamp=_ENDING))


def _faults(answer: Answer, result: Json) -> Iterator[str]:
    if "node" in result:
        if answer.node not in result["nodes_chosen"]:
            yield f"chose {answer.node or answer.message!r}, expected one of {result['nodes_chosen']}"
        yield from _scores(answer, result)
        return
    expected = (result.get("message_no_dra", result["message"]), result["reason"])
    if (answer.message, answer.reason) != expected:
        yield f"said {answer.message!r} ({answer.reason}), expected {expected[0]!r} ({expected[1]})"
    allowed = [result, *result.get("alternatives", ())]
    if (answer.nominated, answer.victims) not in [
        (one.get("nominatedNode", ""), frozenset(one.get("preempted", ()))) for one in allowed
    ]:
        yield (
            f"nominated {answer.nominated or 'none'}, victims {sorted(answer.victims)}, expected "
            f"{result.get('nominatedNode', 'none')}, {result.get('preempted', [])}"
        )


def _scores(answer: Answer, result: Json) -> Iterator[str]:
    """Plugins that give nothing to any node are left out on both sides. A single feasible node is not scored."""
    recorded: dict[str, list[int]] = result.get("scores", {})
    names = frozenset(recorded) or frozenset(result["nodes_chosen"])
    if answer.feasible != names:
        yield f"feasible {sorted(answer.feasible)}, expected {sorted(names)}"
        return
    for node, row in recorded.items():
        expected = dict(zip(result["score_plugins"], row[1:], strict=True))
        given = _telling(answer.scores[node])
        if given != _telling(expected):
            yield f"scores of {node}: {given}, expected {_telling(expected)}"


def _telling(scores: Mapping[str, int]) -> dict[str, int]:
    return {plugin: score for plugin, score in sorted(scores.items()) if score}
