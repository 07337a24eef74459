import pytest

from reconciler.manifests.compose.files import plain
from reconciler.manifests.compose.nodes import read_file


def test_words_of_yaml_1_1_stay_words() -> None:
    text = b"{a: no, b: yes, c: on, d: off, e: true, f: 0755, g: 1:30, h: 2024-01-01, i: ~, j: !!str 1, k: '8'}"
    (node,) = read_file("f", text, "").documents
    assert plain(node) == {
        "a": "no", "b": "yes", "c": "on", "d": "off", "e": True, "f": 0o755, "g": "1:30", "h": "2024-01-01", "i": None,
        "j": "1", "k": "8",
    }  # fmt: skip


def test_anchors_and_merge_keys() -> None:
    text = b"x-a: &a {image: x, tty: true}\nx-b: &b {init: true}\nservices:\n  w: {<<: [*a, *b], tty: false}\n"
    (node,) = read_file("f", text, "").documents
    assert plain(node.map["services"].map["w"]) == {"image": "x", "tty": False, "init": True}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(b"a: 1\na: 2\n", 2, "the key 'a' is there twice", id="duplicate key"),
        pytest.param(b"a: !secret x\n", 1, "the YAML tag !secret is not known", id="tag of a value"),
        pytest.param(b"a:\n  b: !x [1]\n", 2, "the YAML tag !x is not known", id="tag of a list"),
        pytest.param(b"a: .inf\n", 1, "cannot be written in JSON", id="infinity"),
    ],
)
def test_what_spoils_a_place_is_told(text: bytes, line: int, words: str) -> None:
    (problem,) = read_file("f", text, "").problems
    assert problem.line == line
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(b"a: [\n", 2, "not YAML", id="broken"),
        pytest.param(b"a: 1\n<<<<<<< HEAD\nb: 2\n=======\n", 2, "merge conflict", id="conflict"),
        pytest.param(b"a: \xff\n", 1, "not UTF-8", id="encoding"),
        pytest.param(b"[" * 200 + b"]" * 200, 1, "nested deeper", id="depth"),
        pytest.param(
            b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
                b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(6)
            ), 5, "aliases stand for", id="bomb",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_of_a_manifest_is_refused_here(text: bytes, line: int, words: str) -> None:
    refused = read_file("f", text, "").refused
    assert refused is not None
    assert (refused.line, words in refused.message) == (line, True), refused
