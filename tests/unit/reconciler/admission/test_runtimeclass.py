"""RuntimeClasses: what a pod is given by the one that it names, and what contradicts it."""

import pytest

from reconciler.admission import runtimeclass
from reconciler.store.cache import Cache
from schemas.core.affinity import Toleration
from schemas.core.pod import Pod
from schemas.meta import Object, ObjectMeta
from schemas.node import Overhead, RuntimeClass, Scheduling
from tests.unit.reconciler.admission.test_podsecurity import pod

FAST = Toleration(key="vm", operator="Exists")
SANDBOXED = RuntimeClass(
    metadata=ObjectMeta(name="sandboxed"),
    handler="runsc",
    overhead=Overhead(pod_fixed={"memory": "64Mi"}),
    scheduling=Scheduling(node_selector={"vm": "yes"}, tolerations=(FAST,)),
)
PLAIN = RuntimeClass(metadata=ObjectMeta(name="plain"), handler="runc")


def view() -> Cache:
    cache = Cache()
    cache.load([SANDBOXED, PLAIN])
    return cache


def admitted(**spec: object) -> tuple[Pod, str]:
    completed: Object = runtimeclass.complete(pod(**spec), view())
    assert isinstance(completed, Pod)
    return completed, runtimeclass.check(completed, view())


def test_a_pod_gets_the_overhead_of_its_class_and_goes_where_it_may() -> None:
    found, refusal = admitted(runtimeClassName="sandboxed", nodeSelector={"disk": "fast"})
    assert refusal == ""
    assert found.spec.overhead == {"memory": "64Mi"}
    assert found.spec.node_selector == {"disk": "fast", "vm": "yes"}
    assert FAST in found.spec.tolerations
    assert runtimeclass.complete(found, view()) == found


def test_a_class_without_more_than_a_handler_changes_nothing() -> None:
    found, refusal = admitted(runtimeClassName="plain")
    assert (found, refusal) == (pod(runtimeClassName="plain"), "")


@pytest.mark.parametrize(
    ("spec", "refusal"),
    [
        pytest.param({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found', id="no such class"),
        pytest.param(
            {"runtimeClassName": "sandboxed", "overhead": {"memory": "1Mi"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
            id="another overhead",
        ),
        pytest.param({"runtimeClassName": "sandboxed", "overhead": {"memory": "65536Ki"}}, "", id="the same overhead"),
        pytest.param(
            {"overhead": {"memory": "1Mi"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
            id="an overhead of its own",
        ),
        pytest.param(
            {"runtimeClassName": "sandboxed", "nodeSelector": {"vm": "no"}},
            "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no",
            id="another node",
        ),
    ],
)
def test_what_contradicts_the_class_is_refused(spec: dict[str, object], refusal: str) -> None:
    assert admitted(**spec)[1] == refusal
