import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.documents import load
from reconciler.manifests.ledger import Ledger
from schemas.meta import Ref
from tests.unit.reconciler.manifests.builders import config_map, config_ref

BROKEN = "apiVersion: v1\nkind: [\n"


def nowhere(_: Ref) -> str:
    return ""


def write(ledger: Ledger, **files: str | None) -> None:
    """Files by the letter of their name; None removes one."""
    ledger.take(
        {f"{name}.yaml": None if text is None else load(f"{name}.yaml", text.encode()) for name, text in files.items()},
        nowhere,
    )


def values(ledger: Ledger) -> dict[str, str]:
    return {ref.name: msgspec.json.decode(one.data)["data"]["value"] for ref, one in ledger.declared.items()}


def test_a_file_that_breaks_keeps_its_objects_as_they_were_last_good() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x", "1") + "---\n" + config_map("k", "1"))
    write(ledger, a=BROKEN)
    assert values(ledger) == {"x": "1", "k": "1"}
    write(ledger, a=config_map("x", "2"))
    assert values(ledger) == {"x": "2"}


def test_a_broken_document_keeps_its_object_and_lets_the_others_go_on() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x", "1") + "---\n" + config_map("k", "1"))
    write(ledger, a=config_map("x", "2") + "oops: 1\n---\n" + config_map("k", "2"))
    assert values(ledger) == {"x": "1", "k": "2"}


def test_a_document_whose_kind_is_misspelt_may_be_the_object_that_is_missing_now() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x", "1"))
    write(ledger, a=config_map("x", "2").replace("ConfigMap", "ConfigMpa"))
    assert values(ledger) == {"x": "1"}
    assert ledger.hidden_in(config_ref("x"), "") == "a.yaml"


def test_moving_a_document_to_another_file_changes_nothing_but_where_it_is() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x"))
    before = ledger.declared[config_ref("x")]
    write(ledger, a=None, b="# moved\n" + config_map("x"))
    after = ledger.declared[config_ref("x")]
    assert (after.data, after.file, after.line) == (before.data, "b.yaml", 2)


def test_a_document_that_is_moved_and_broken_at_once_is_not_gone() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x"), c=config_map("other"))
    write(ledger, a=None, b=config_map("x") + BROKEN)
    assert values(ledger) == {"x": "1", "other": "1"}
    write(ledger, c=None)
    assert values(ledger) == {"x": "1"}


def test_of_two_declarations_the_one_known_first_holds_and_the_other_is_a_fault_that_names_both() -> None:
    ledger = Ledger()
    write(ledger, b=config_map("x", "1"))
    write(ledger, a="---\n" + config_map("x", "2"))
    assert values(ledger) == {"x": "1"}
    (fault,) = ledger.duplicates[config_ref("x")]
    assert str(fault).startswith("a.yaml:2: ConfigMap/x: ConfigMap default/x is declared in b.yaml:1 already")
    write(ledger, b=None)
    assert values(ledger) == {"x": "2"}
    assert not ledger.duplicates


def test_after_a_start_the_file_that_the_object_names_holds_it() -> None:
    ledger = Ledger()
    ledger.take({name: load(name, config_map("x", name).encode()) for name in ("a.yaml", "b.yaml")}, lambda _: "b.yaml")
    assert values(ledger) == {"x": "b.yaml"}
    assert [fault.file for fault in ledger.duplicates[config_ref("x")]] == ["a.yaml"]


def test_twice_in_one_file_the_first_holds() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x", "1") + "---\n" + config_map("x", "2"))
    assert values(ledger) == {"x": "1"}
    assert [fault.line for fault in ledger.duplicates[config_ref("x")]] == [6]


def test_what_was_last_good_before_a_restart_holds_as_far_as_the_files_bear_it_out() -> None:
    ledger = Ledger()
    write(ledger, a=config_map("x", "1"), b=config_map("k", "1"))
    write(ledger, a=BROKEN)
    again = Ledger()
    again.restore(ledger.last_good())
    write(again, a=BROKEN, b=config_map("k", "1"))
    assert values(again) == {"x": "1", "k": "1"}
    write(again, a="")
    assert values(again) == {"k": "1"}


FILES = "abc"
NAMES = "uvw"
ACTION: st.SearchStrategy[tuple[str, str, list[str]]] = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(FILES), st.lists(st.sampled_from(NAMES), max_size=3, unique=True)),
    st.tuples(st.just("break"), st.sampled_from(FILES), st.just([])),
    st.tuples(st.just("spoil"), st.sampled_from(FILES), st.lists(st.sampled_from(NAMES), min_size=1, max_size=1)),
    st.tuples(st.just("move"), st.sampled_from(FILES), st.lists(st.sampled_from(FILES), min_size=1, max_size=1)),
    st.tuples(st.just("delete"), st.sampled_from(FILES), st.just([])),
)


class Model:
    """Files as maps from object to value (None: its document is broken); a broken file is None, and remembers."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, str | None] | None] = {}
        self.good: dict[str, tuple[str, str]] = {}  # object → (file, value)

    def settle(self) -> None:
        for name in NAMES:
            claims = {
                file: held[name] for file, held in sorted(self.files.items()) if held is not None and name in held
            }
            file = self.good.get(name, ("", ""))[0]
            if claims:
                file = file if file in claims else min(claims)
                if (value := claims[file]) is not None:
                    self.good[name] = file, value
            elif not (file in self.files and self.files[file] is None):
                self.good.pop(name, None)


def texts(held: dict[str, str | None] | None) -> str:
    if held is None:
        return BROKEN
    documents = (config_map(name, value or "") + ("" if value else "oops: 1\n") for name, value in held.items())
    return "---\n".join(documents)


@given(st.lists(st.tuples(ACTION, st.booleans()), max_size=30))
@settings(max_examples=150, deadline=None)
def test_after_any_history_each_object_is_as_last_good(history: list[tuple[tuple[str, str, list[str]], bool]]) -> None:
    model, ledger = Model(), Ledger()
    pending: dict[str, str | None] = {}
    for step, ((action, file, rest), goes_in) in enumerate(history):
        held = model.files.get(file)
        if action == "write":
            held = {name: str(step) for name in rest}
        elif action == "break":
            held = None
        elif action == "spoil" and held is not None:
            held = {**held, rest[0]: None}
        elif action == "move" and rest[0] != file and file in model.files:
            model.files[rest[0]] = held
            pending[rest[0]] = texts(held)
        if action in ("delete", "move"):
            if action == "delete" or rest[0] != file:
                model.files.pop(file, None)
                pending[file] = None
        elif action != "spoil" or file in model.files:
            model.files[file] = held
            pending[file] = texts(held)
        if goes_in or step == len(history) - 1:  # several edits may be gathered into one pass
            write(ledger, **pending)
            model.settle()
            pending = {}
            assert values(ledger) == {name: value for name, (_, value) in model.good.items()}


@given(st.permutations(["a", "b", "c", "d"]))
@settings(max_examples=24, deadline=None)
def test_the_order_in_which_files_of_one_pass_come_does_not_matter(order: list[str]) -> None:
    ledger = Ledger()
    contents = {"a": config_map("x", "a"), "b": config_map("x", "b"), "c": BROKEN, "d": config_map("k", "d")}
    write(ledger, **{name: contents[name] for name in order})
    assert values(ledger) == {"x": "a", "k": "d"}
