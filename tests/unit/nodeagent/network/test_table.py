"""The values that the kernel is given, held against the kernel itself in `tests/lab`."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from nodeagent.network.table import EMPTY, Part, Table

A, B = ("services4", "10.96.0.1 . tcp . 80"), ("services4", "10.96.0.2 . tcp . 80")


def part(name: str, *elements: tuple[str, str], rules: tuple[str, ...] = ("accept",)) -> Part:
    return Part(chains={name: rules}, elements={one: f"goto {name}" for one in elements})


def test_a_change_sends_what_has_changed_alone() -> None:
    table = Table("t", "")
    table.change({"a": part("a", A), "b": part("b", B)})
    assert table.change({"a": part("a", A), "b": part("b", B)}) == ""
    assert table.change({"a": part("a", A, rules=("drop",)), "b": part("b", B)}).splitlines() == [
        "flush chain inet t a",
        "add rule inet t a drop",
    ]


def test_what_goes_is_let_go_of_before_it_is_deleted() -> None:
    table = Table("t", "")
    table.change({"a": part("a", A)})
    assert table.change({"a": EMPTY}).splitlines() == [
        "delete element inet t services4 { 10.96.0.1 . tcp . 80 }",
        "flush chain inet t a",
        "delete chain inet t a",
    ]


def test_an_element_that_two_claim_is_the_firsts_until_that_goes() -> None:
    table = Table("t", "")
    table.change({"a": part("a", A)})
    assert "element" not in table.change({"b": part("b", A)})
    assert table.contested() == {A: ("a", "b")}
    script = table.change({"a": EMPTY})
    assert "add element inet t services4 { 10.96.0.1 . tcp . 80 : goto b }" in script
    assert table.contested() == {}


PARTS = st.builds(
    lambda name, elements, rule: part(name, *elements, rules=(rule,)),
    st.just("x"),
    st.sets(st.sampled_from([A, B])),
    st.sampled_from(["accept", "drop"]),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.none() | PARTS, min_size=1), max_size=8))
def test_changes_one_after_another_end_where_a_whole_load_begins(steps: list[Mapping[str, Part | None]]) -> None:
    """Played by a small model of nft, which refuses what the kernel would refuse."""
    table, kernel = Table("t", ""), Kernel()
    for step in steps:
        named = {
            key: EMPTY if one is None else Part({key: one.chains["x"]}, {}, dict.fromkeys(one.elements, f"goto {key}"))
            for key, one in step.items()
        }
        kernel.play(table.change(named))
    fresh = Kernel()
    fresh.play(table.whole())
    assert (kernel.chains, kernel.elements) == (fresh.chains, fresh.elements)


class Kernel:
    def __init__(self) -> None:
        self.chains: dict[str, list[str]] = {}
        self.elements: dict[str, str] = {}

    def play(self, script: str) -> None:
        for line in script.splitlines():
            if not line.startswith(("add ", "flush ", "delete ")) or " table " in line:
                continue  # the table itself
            verb, what, _, _, name, *rest = line.split(" ", 5)
            text = rest[0] if rest else ""
            match verb, what:
                case "add", "chain":
                    assert name not in self.chains
                    self.chains[name] = []
                case "add", "rule":
                    self.chains[name].append(text)
                case "flush", "chain":
                    self.chains[name] = []
                case "delete", "chain":
                    assert not self.chains.pop(name)
                    assert f"goto {name}" not in self.elements.values()
                case "add", "element":
                    for pair in text.strip("{} ").split(", "):
                        key, value = pair.split(" : ")
                        assert key not in self.elements
                        assert value.removeprefix("goto ") in self.chains
                        self.elements[key] = value
                case "delete", "element":
                    for key in text.strip("{} ").split(", "):
                        del self.elements[key]
