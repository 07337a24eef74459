import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.outcome import PodChange
from reconciler.plan.pods import changes
from schemas.core.container import Container
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodStatus
from schemas.meta import ObjectMeta


def pod(uid: str, node: str, image: str = "web:1") -> Pod:
    phase = "Running" if node else "Pending"
    return Pod(
        metadata=ObjectMeta(name=uid, namespace="default", uid=uid),
        spec=PodSpec((Container(name="main", image=image),), node_name=node),
        status=PodStatus(phase=phase),
    )


def told(found: tuple[PodChange, ...]) -> list[str]:
    return [f"{one.count} {one.verb} {one.from_node}>{one.node} {one.images[0]}" for one in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([pod("a", "n1")], [pod("a", "n1")], [], id="kept"),
        pytest.param([pod("a", "n1")], [pod("a", "n1", "web:2")], ["1 restart >n1 web:2"], id="in its place"),
        pytest.param([pod("a", "n1")], [pod("b", "n1", "web:2")], ["1 restart >n1 web:2"], id="same node"),
        pytest.param([pod("a", "n1")], [pod("b", "n2")], ["1 move n1>n2 web:1"], id="another node"),
        pytest.param([pod("a", "n1")], [], ["1 stop >n1 web:1"], id="gone"),
        pytest.param([], [pod("a", "n1")], ["1 start >n1 web:1"], id="new"),
        pytest.param([pod("a", "")], [pod("a", "n1")], ["1 start >n1 web:1"], id="was Pending"),
        pytest.param([pod("a", "")], [pod("b", "")], [], id="Pending by another"),
        pytest.param([pod("a", "n1")], [pod("b", "")], ["1 stop >n1 web:1"], id="Pending in the end"),
        pytest.param(
            [pod("a", "n1"), pod("b", "n2"), pod("c", "n3")],
            [pod("d", "n3", "web:2"), pod("e", "n1", "web:2"), pod("f", "n1", "web:2")],
            ["1 restart >n1 web:2", "1 restart >n3 web:2", "1 move n2>n1 web:2"],
            id="mixed",
        ),
        pytest.param(
            [pod("a", "n1"), pod("b", "n1")],
            [pod("c", "n1", "web:2"), pod("d", "n1", "web:2")],
            ["2 restart >n1 web:2"],
            id="counted",
        ),
    ],
)
def test_pods_are_told_apart_by_where_they_run(before: list[Pod], after: list[Pod], expected: list[str]) -> None:
    assert told(changes(before, after)) == expected


PODS = st.lists(
    st.builds(pod, st.integers(0, 9).map(str), st.sampled_from(["", "n1", "n2", "n3"]), st.sampled_from(["a", "b"])),
    unique_by=lambda one: one.metadata.uid,
)


@given(PODS, PODS)
def test_the_balance_of_pods_is_right_on_every_node(before: list[Pod], after: list[Pod]) -> None:
    found = changes(before, after)
    for node in ("n1", "n2", "n3"):
        comes = sum(one.count for one in found if one.node == node and one.verb in ("start", "move"))
        goes = sum(one.count for one in found if one.verb == "stop" and one.node == node)
        goes += sum(one.count for one in found if one.from_node == node)
        moved = sum(
            old.spec.node_name != new.spec.node_name and "" not in (old.spec.node_name, new.spec.node_name)
            for old in before
            for new in after
            if old.metadata.uid == new.metadata.uid
        )
        if not moved:  # a pod that is bound never changes its node
            assert sum(one.spec.node_name == node for one in before) + comes - goes == sum(
                one.spec.node_name == node for one in after
            )


@given(PODS)
def test_nothing_is_told_of_what_stays(pods: list[Pod]) -> None:
    assert changes(pods, pods) == ()
