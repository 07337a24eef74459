import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.parse import DEEPEST, MAX_BYTES, Parsed, parse
from reconciler.manifests.positions import lines


def only(text: str) -> object:
    parsed = parse(text.encode())
    assert parsed.refused is None, parsed
    assert not any(document.problems for document in parsed.documents), parsed
    (document,) = parsed.documents
    return document.data


def refusal(content: bytes) -> tuple[int, str]:
    refused = parse(content).refused
    assert refused is not None
    return refused.line, refused.message


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("0755", 493, id="octal as in YAML 1.1"),
        pytest.param("0o755", 493, id="octal as in YAML 1.2"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0b101", 5, id="binary"),
        pytest.param("-0755", -493, id="negative octal"),
        pytest.param("08", 8, id="no octal digit, so a float, which is whole"),
        pytest.param("1_000", 1000, id="underscores"),
        pytest.param("1:30", "1:30", id="base 60 is a string"),
        pytest.param("190:20:30", "190:20:30", id="long base 60 is a string"),
        pytest.param("2024-01-01", "2024-01-01", id="a date is a string"),
        pytest.param("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00", id="a time is a string"),
        pytest.param("yes", True, id="yes"),
        pytest.param("Off", False, id="off"),
        pytest.param("y", True, id="y"),
        pytest.param("yEs", "yEs", id="no word of YAML"),
        pytest.param("'yes'", "yes", id="quoted"),
        pytest.param("~", None, id="tilde"),
        pytest.param("null", None, id="null"),
        pytest.param("", None, id="nothing"),
        pytest.param("1e3", 1000, id="a whole float is an integer, as in JSON"),
        pytest.param("1.50", 1.5, id="float"),
        pytest.param("+.5", 0.5, id="float without a leading digit"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("9" * 200, "9" * 200, id="no number is that long"),
        pytest.param("18446744073709551615", 2**64 - 1, id="unsigned 64 bits"),
        pytest.param("!!str 12", "12", id="string by tag"),
        pytest.param("!!int '12'", 12, id="integer by tag"),
        pytest.param("!!binary aGk=", "hi", id="binary by tag"),
        pytest.param("500m", "500m", id="quantity"),
    ],
)
def test_a_scalar_reads_as_kubernetes_reads_it(written: str, read: object) -> None:
    assert only(f"a: {written}\n") == {"a": read}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}, id="alias"),
        pytest.param(
            "a: &x {b: 1, d: 2}\nc: {<<: *x, b: 3}\n", {"a": {"b": 1, "d": 2}, "c": {"d": 2, "b": 3}}, id="merge"
        ),
        pytest.param(
            "p: &x {b: 1}\nq: &y {b: 2, c: 3}\nr: {<<: [*x, *y]}\n",
            {"p": {"b": 1}, "q": {"b": 2, "c": 3}, "r": {"b": 1, "c": 3}},
            id="merge of several, first wins",
        ),
        pytest.param("y: a\n1: b\n", {"true": "a", "1": "b"}, id="keys are strings of their values"),
        pytest.param("\ufeffa: 1\r\nb:\r\n  - 2\r\n", {"a": 1, "b": [2]}, id="BOM and CRLF"),
        pytest.param('{"a": "\\ud83d\\ude00", "b": [1.0]}', {"a": "😀", "b": [1.0]}, id="JSON with surrogates"),
        pytest.param("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}, id="a flow mapping that is no JSON"),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="block text"),
    ],
)
def test_what_yaml_can_say_is_read(text: str, read: object) -> None:
    assert only(text) == read


def test_empty_and_comment_only_documents_are_passed_over() -> None:
    parsed = parse(b"# nothing\n---\n---\na: 1\n---\n# end\n---\nb: 2\n...\n")
    assert [(document.line, document.data) for document in parsed.documents] == [(4, {"a": 1}), (8, {"b": 2})]


@pytest.mark.parametrize("content", [b"", b"\n", b"# only\n", b"---\n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing_holds_nothing(content: bytes) -> None:
    assert parse(content) == Parsed()


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        pytest.param(b"a: 1\nb: [1\n", 3, "not YAML", id="broken YAML"),
        pytest.param(b"a: 1\n\tb: 2\n", 2, "not YAML", id="tab"),
        pytest.param(b"a: 1\nb: \xff\n", 2, "not UTF-8", id="not UTF-8"),
        pytest.param("a: 1\n".encode("utf-16"), 1, "not UTF-8", id="UTF-16"),
        pytest.param(b"a: 1\nname: {{ .Values.name }}\n", 2, "template", id="template in a value"),
        pytest.param(b"a: 1\n{{- if .x }}\nb: 2\n{{ end }}\n", 2, "template", id="template around lines"),
        pytest.param(b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", 2, "merge conflict", id="conflict"),
        pytest.param(b"a: *x\n", 1, "names no anchor", id="unknown alias"),
        pytest.param(b"a: &x [*x]\n", 1, "names no anchor", id="alias in itself"),
        pytest.param(b"? [a, b]\n: 1\n", 1, "key has to be a plain word", id="list as a key"),
        pytest.param(b"[" * 200_000, 1, "nested deeper", id="deep flow"),
        pytest.param(b'{"a":' * 200_000, 1, "nested deeper", id="deep JSON"),
        pytest.param(b"- " * 200_000, 1, "nested deeper", id="deep block"),
        pytest.param(b" " * (MAX_BYTES + 1), 1, "more than", id="too large"),
        pytest.param(b"a: b\0c\n", 1, "not YAML", id="NUL"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(content: bytes, line: int, says: str) -> None:
    found, message = refusal(content)
    assert (found, says in message) == (line, True), message


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    levels = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)]
    assert "aliases stand for more" in refusal(b"\n".join(levels))[1]


def test_aliases_cannot_nest_what_brackets_may_not() -> None:
    chain = [b"a0: &a0 [x]"] + [b"a%d: &a%d [*a%d]" % (n, n, n - 1) for n in range(1, DEEPEST + 5)]
    assert "nested deeper" in refusal(b"\n".join(chain))[1]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 3, "'a' is there twice", id="duplicate key"),
        pytest.param("x:\n  b: 2\n  b: 3\n", 3, "'b' is there twice", id="duplicate key below"),
        pytest.param('{"a": 1, "a": 2}', 1, "'a' is there twice", id="duplicate key of JSON"),
        pytest.param('{"a": {"b": 1},\n "c": [{"b": 1},\n {"b": 1,\n "b": 2}]}', 4, "'b' is", id="far down in JSON"),
        pytest.param('{"a": "\\ud83d\\ude00",\n "a": 2}', 1, "'a' is", id="in JSON that YAML cannot read"),
        pytest.param("a: 1\nb: !vault x\n", 2, "!vault", id="unknown tag"),
        pytest.param("a: .inf\n", 1, "JSON", id="infinity"),
        pytest.param("a: 1\n~: 2\n", 2, "key is missing", id="null key"),
        pytest.param("a: !!int x\n", 1, "no !!int", id="tag that does not fit"),
        pytest.param("a:\n  <<: 3\n", 2, "<< merges mappings", id="merge of a number"),
    ],
)
def test_a_fault_of_one_document_spoils_that_document_alone(text: str, line: int, says: str) -> None:
    parsed = parse(f"{text}\n---\nfine: 1\n".encode() if text[0] != "{" else f"{text}\n".encode())
    (problem,) = parsed.documents[0].problems
    assert (problem.line, says in problem.message) == (line, True), problem
    assert all(not document.problems for document in parsed.documents[1:])


def test_json_only_files_are_held_to_json() -> None:
    refused = parse(b'{"a": 1,\n "b": nope}', json_only=True).refused
    assert refused is not None
    assert (refused.line, "not JSON" in refused.message) == (2, True)
    assert parse(b"a: 1", json_only=True).refused is not None
    assert [one.data for one in parse(b'{"a": 1}\n{"b": 2}', json_only=True).documents] == [{"a": 1}, {"b": 2}]


def test_lists_are_taken_apart_and_every_element_knows_its_line() -> None:
    text = b"""apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Pod, metadata: {name: a}}
  - apiVersion: v1
    kind: ConfigMapList
    items:
      - metadata: {name: b}
---
kind: ConfigMapList
apiVersion: v1
items: []
"""
    parsed = parse(text)
    assert [(one.line, one.path) for one in parsed.documents] == [(4, ("items", 0)), (8, ("items", 1, "items", 0))]
    assert parsed.documents[1].data == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}


def test_a_fault_of_one_element_of_a_list_spoils_that_element_alone() -> None:
    text = "kind: List\nitems:\n- a: 1\n- b: 1\n  b: 2\n- c: 1\n"
    parsed = parse(text.encode())
    assert [[problem.line for problem in one.problems] for one in parsed.documents] == [[], [5], []]


@pytest.mark.parametrize("rest", ["items: []\n", "items:\n- b: 1\n"])
def test_a_fault_of_the_list_itself_is_told_once_and_spoils_no_element(rest: str) -> None:
    parsed = parse(f"kind: List\nitems:\n- a: 1\n{rest}".encode())
    around, *elements = parsed.documents
    assert (around.data, [problem.line for problem in around.problems]) == (None, [4])
    assert not any(element.problems for element in elements)


def test_positions_are_those_of_the_key_or_of_the_nearest_place_around_it() -> None:
    text = b"a: 1\n---\n# note\nspec:\n  list:\n    - x: 1\n      y: 2\n    - z: {w: 3}\n"
    wanted = {
        (0, ("a",)): 1,
        (1, ()): 4,
        (1, ("spec", "list")): 5,
        (1, ("spec", "list", 0, "y")): 7,
        (1, ("spec", "list", 1)): 8,
        (1, ("spec", "list", 1, "z", "w")): 8,
        (1, ("spec", "missing", "below")): 4,
        (1, ("spec", "list", 7, "y")): 5,
    }
    assert lines(text, wanted) == wanted


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="ascii", categories=["L", "N"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text("abc", min_size=1), children, max_size=4),
    max_leaves=20,
)


@given(JSON.filter(lambda value: value is not None))
@settings(max_examples=60, deadline=None)
def test_every_json_value_reads_the_same_as_json_and_as_yaml(value: object) -> None:
    text = json.dumps(value)
    assert [one.data for one in parse(f"---\n{text}\n".encode()).documents] == [value]
    assert [one.data for one in parse(text.encode(), json_only=True).documents] == [value]


@given(st.binary(max_size=200) | st.text("abc:-[]{}&*!|>'\"#%@`\n \t<0?,", max_size=200).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_no_bytes_can_make_the_parser_fail(content: bytes) -> None:
    parsed = parse(content)
    assert parsed.refused is None or parsed.refused.line >= 1
