from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.link.assignments import Desired
from reconciler.link.retained import DIGEST, Retained, bodies_of, hash_of, next_digest, publications
from schemas.core.pod import Pod, PodSpec
from schemas.messages import Assignment, Config, Digest, decode
from schemas.meta import ObjectMeta


def wanted(pods: dict[str, int], configs: dict[str, str] | None = None) -> Desired:
    named = {
        uid: Pod(metadata=ObjectMeta(uid=uid, generation=generation), spec=PodSpec(containers=()))
        for uid, generation in pods.items()
    }
    bodies = [Config("Secret", "n", name, {"k": content.encode()}) for name, content in (configs or {}).items()]
    return Desired({uid: Assignment(pod) for uid, pod in named.items()}, {config.key: config for config in bodies})


def brought(retained: Retained, target: Desired, revision: int) -> tuple[Retained, list[str]]:
    """What the broker retains after the publications, and their topics; at no moment is the newest digest a lie."""
    digest = next_digest(retained.digest, target, "s", revision)
    kept, held, topics = dict(retained.bodies), retained.digest, []
    for message in publications(retained, digest, bodies_of(target)):
        topics.append(message.rest)
        if message.rest == DIGEST:
            held = decode(message.payload, Digest)
        elif message.payload:
            kept[message.rest] = hash_of(message.payload)
        else:
            del kept[message.rest]
        if held is not None:
            assert {f"desired/pods/{uid}" for uid in held.pods} <= kept.keys()
            assert {f"desired/config/{key}" for key in held.configs} <= kept.keys()
    return Retained(held, kept), topics


def test_bodies_go_before_the_digest_and_configs_before_pods() -> None:
    _, topics = brought(Retained(), wanted({"a": 1}, {"s": "x"}), 5)
    assert topics == ["desired/config/secret/n/s", "desired/pods/a", "desired"]


def test_what_is_retained_already_is_not_published() -> None:
    before, _ = brought(Retained(), wanted({"a": 1}, {"s": "x"}), 5)
    assert brought(before, wanted({"a": 1}, {"s": "x"}), 9) == (before, [])


def test_leftovers_are_cleared_after_the_digest_that_names_them_no_more() -> None:
    before, _ = brought(Retained(), wanted({"a": 1, "b": 1}), 5)
    _, topics = brought(before, wanted({"a": 1}), 6)
    assert topics == ["desired", "desired/pods/b"]


def test_revisions_grow_even_where_the_store_stands_behind_what_is_retained() -> None:
    retained = Digest("s", 50)
    assert next_digest(retained, wanted({"a": 1}), "s", 7).revision == 51
    assert next_digest(retained, wanted({"a": 1}), "s", 70).revision == 70


def test_another_store_begins_with_its_own_revision() -> None:
    assert next_digest(Digest("before", 50), wanted({}), "s", 7) == Digest("s", 7)


STATES = st.builds(
    wanted,
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)),
    st.dictionaries(st.sampled_from("xy"), st.sampled_from(["1", "2"])),
)


@given(st.lists(STATES, max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_broker_ends_with_what_is_wanted_and_nothing_else(states: list[Desired]) -> None:
    retained, revisions = Retained(), []
    for revision, state in enumerate(states, start=1):
        retained, topics = brought(retained, state, revision)
        assert retained.bodies == {rest: hash_of(payload) for rest, payload in bodies_of(state).items()}
        assert retained.digest is not None
        if DIGEST in topics:
            revisions.append(retained.digest.revision)
    assert revisions == sorted(set(revisions))
