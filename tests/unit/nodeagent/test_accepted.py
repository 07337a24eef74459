from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.accepted import NOTHING_ACCEPTED, Accepted, accept
from nodeagent.arrivals import Arrivals
from schemas.core.pod import Pod, PodSpec
from schemas.messages import Assignment, Config, Digest
from schemas.meta import ObjectMeta


def body(uid: str, generation: int, **labels: str) -> Assignment:
    metadata = ObjectMeta(name=uid, namespace="default", uid=uid, generation=generation, labels=labels)
    return Assignment(Pod(metadata=metadata, spec=PodSpec(containers=())))


def config(content: str) -> Config:
    return Config("Secret", "default", "s", {"key": content.encode()})


def held(digest: Digest, *bodies: Assignment) -> Accepted:
    arrived = {(one.pod.metadata.uid, one.pod.metadata.generation): one for one in bodies}
    return accept(NOTHING_ACCEPTED, digest, arrived, {})


ONE = held(Digest("s", 1, {"a": 1}), body("a", 1))


def test_a_digest_with_all_its_bodies_is_complete() -> None:
    assert Accepted(Digest("s", 1, {"a": 1}), {"a": body("a", 1)}) == ONE


def test_a_body_that_no_digest_names_is_not_accepted() -> None:
    assert accept(ONE, None, {("b", 1): body("b", 1)}, {}) == ONE


def test_a_pod_keeps_its_old_body_until_the_new_one_is_there() -> None:
    waiting = accept(ONE, Digest("s", 2, {"a": 2}), {}, {})
    assert (waiting.pods, waiting.complete) == ({"a": body("a", 1)}, False)
    done = accept(waiting, None, {("a", 2): body("a", 2)}, {})
    assert (done.pods, done.complete) == ({"a": body("a", 2)}, True)


def test_what_the_digest_names_no_more_is_dropped() -> None:
    assert accept(ONE, Digest("s", 2), {}, {}).pods == {}


def test_an_older_digest_is_refused_and_the_same_one_changes_nothing() -> None:
    newer = accept(ONE, Digest("s", 5, {"a": 1}), {}, {})
    assert accept(newer, Digest("s", 4), {}, {}) == newer
    assert accept(newer, Digest("s", 5), {}, {}) == newer


def test_another_store_is_taken_on_and_the_one_before_never_again() -> None:
    other = accept(ONE, Digest("t", 1), {}, {})
    assert (other.digest.store, other.superseded) == ("t", ("s",))
    assert accept(other, Digest("s", 99, {"a": 1}), {("a", 1): body("a", 1)}, {}) == other


def test_labels_that_change_without_a_new_generation_are_taken_on() -> None:
    labelled = body("a", 1, colour="blue")
    assert accept(ONE, None, {("a", 1): labelled}, {}).pods == {"a": labelled}


def test_a_config_counts_at_the_content_that_the_digest_names() -> None:
    key, old, new = config("x").key, config("old"), config("new")
    digest = Digest("s", 1, {}, {key: new.content_hash()})
    arrived = {(key, old.content_hash()): old}
    assert accept(NOTHING_ACCEPTED, digest, {}, arrived).complete is False
    arrived[key, new.content_hash()] = new
    assert accept(NOTHING_ACCEPTED, digest, {}, arrived).configs == {key: new}


Message = Digest | Assignment | Config


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """What a reconciler publishes over a while: bodies, then the digest that names them; pods come, change and go."""
    messages: list[Message] = []
    generations: dict[str, int] = {}
    present: set[str] = set()
    for revision in range(1, draw(st.integers(1, 6)) + 1):
        for uid in draw(st.sets(st.sampled_from("abc"))):
            if uid in present and draw(st.booleans()):
                present.discard(uid)
            else:
                generations[uid] = generations.get(uid, 0) + 1
                present.add(uid)
                messages.append(body(uid, generations[uid]))
        secret = config(str(revision))
        messages.append(secret)
        pods = {uid: generations[uid] for uid in present}
        messages.append(Digest("s", revision, pods, {secret.key: secret.content_hash()}))
    return messages


def deliver(arrivals: Arrivals, message: Message) -> None:
    if isinstance(message, Digest):
        arrivals.add_digest(message)
    elif isinstance(message, Assignment):
        arrivals.add_pod(message.pod.metadata.uid, message)
    else:
        arrivals.add_config(message.key, message)


@given(histories(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_of_messages_ends_at_the_newest_digest_and_its_bodies(
    history: list[Message], data: st.DataObject
) -> None:
    doubled = history + data.draw(st.lists(st.sampled_from(history), max_size=5))
    order = data.draw(st.permutations(doubled))
    arrivals, accepted = Arrivals(), NOTHING_ACCEPTED
    saving: Accepted | None = None
    for message in order:
        deliver(arrivals, message)
        if not data.draw(st.booleans()):
            continue
        if saving is None:
            saving = accept(accepted, arrivals.digest, arrivals.pods, arrivals.configs)
        else:  # on disk now; messages may have arrived meanwhile
            accepted, saving = saving, None
            arrivals.taken(accepted)
    if saving is not None:
        accepted = saving
        arrivals.taken(accepted)
    accepted = accept(accepted, arrivals.digest, arrivals.pods, arrivals.configs)
    newest = history[-1]
    assert isinstance(newest, Digest)
    assert (accepted.digest, accepted.complete) == (newest, True)
    assert {uid: one.pod.metadata.generation for uid, one in accepted.pods.items()} == newest.pods
    assert {key: one.content_hash() for key, one in accepted.configs.items()} == newest.configs


def test_a_body_that_arrives_while_its_digest_is_being_saved_completes_it() -> None:
    arrivals = Arrivals()
    arrivals.add_digest(Digest("s", 2, {"a": 2}, {config("x").key: config("x").content_hash()}))
    saved = accept(ONE, arrivals.digest, arrivals.pods, arrivals.configs)
    arrivals.add_pod("a", body("a", 2))
    arrivals.add_config(config("x").key, config("x"))
    arrivals.taken(saved)
    assert accept(saved, arrivals.digest, arrivals.pods, arrivals.configs).complete


def test_what_was_accepted_is_not_held_twice() -> None:
    arrivals = Arrivals()
    arrivals.add_pod("a", body("a", 1))
    arrivals.add_pod("a", body("a", 2))
    arrivals.add_pod("a", body("a", 3))
    arrivals.taken(held(Digest("s", 2, {"a": 2}), body("a", 2)))
    assert list(arrivals.pods) == [("a", 3)]
