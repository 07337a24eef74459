from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from reconciler.scheduler.snapshot import Snapshot
from schemas import selectors
from schemas.core.pod import Pod
from schemas.meta import LabelSelector, LabelSelectorRequirement
from tests.unit.reconciler.controllers.builders import pod
from tests.unit.reconciler.controllers.world import START

LABELS = st.dictionaries(st.sampled_from(["app", "tier", "pod-template-hash"]), st.sampled_from("ab"))
SELECTORS = st.builds(
    LabelSelector,
    match_labels=LABELS,
    match_expressions=st.sampled_from([(), (LabelSelectorRequirement("tier", "Exists"),)]),
)
STEPS = st.one_of(
    st.tuples(st.just("pod"), st.integers(0, 5), LABELS, st.sampled_from(["n1", "n2"]), st.booleans()),
    st.tuples(st.just("ask"), SELECTORS),
)


def _pod(number: int, labels: dict[str, str], node: str, ending: bool) -> Pod:
    found = pod(f"p{number}", labels=labels, node=node)
    deleted = START if ending else None
    return structs.replace(
        found, metadata=structs.replace(found.metadata, uid=f"uid-{number}", deletion_timestamp=deleted)
    )


@given(st.lists(STEPS, max_size=30), SELECTORS)
def test_counts_kept_up_to_date_equal_a_search(steps: list[tuple[object, ...]], last: LabelSelector) -> None:
    snapshot = Snapshot()
    there: dict[str, Pod] = {}
    for step in [*steps, ("ask", last)]:
        if step[0] == "pod":
            made = _pod(*step[1:])  # type: ignore[arg-type]
            snapshot.put(made)
            there[made.metadata.uid] = made
            continue
        selector = step[1]
        assert isinstance(selector, LabelSelector)
        found = Counter(
            one.spec.node_name
            for one in there.values()
            if one.metadata.deletion_timestamp is None and selectors.matches(selector, one.metadata.labels)
        )
        assert snapshot.placed("default", selector) == found
