"""What is remembered of usage never says anything else than counting anew."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.admission.amounts import added
from reconciler.admission.quota import usage
from reconciler.admission.usages import Usages
from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import Pod, PodSpec
from schemas.meta import ObjectMeta

CPU = st.sampled_from(("100m", "0.1", "2", "1e3", "1Ki"))


def pod(name: int, cpu: str) -> Pod:
    container = Container(name="c", image="app:1", resources=ResourceRequirements(requests={"cpu": cpu}))
    return Pod(metadata=ObjectMeta(name=f"p{name}", uid=f"uid-{name}"), spec=PodSpec((container,)))


@settings(max_examples=60, deadline=None)
@given(rounds=st.lists(st.dictionaries(st.integers(0, 6), CPU, max_size=7), max_size=6))
def test_a_memory_adds_up_to_what_counting_anew_does(rounds: list[dict[int, str]]) -> None:
    usages, there = Usages(usage), dict[int, Pod]()
    for wanted in rounds:
        kept = {
            name: one
            for name, one in there.items()
            if wanted.get(name) == one.spec.containers[0].resources.requests["cpu"]
        }
        there = {name: kept.get(name) or pod(name, cpu) for name, cpu in wanted.items()}
        assert usages.together(there.values()) == added(usage(one) for one in there.values())
