import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.compose.dotenv import read_variables

KNOWN = {"KNOWN": "k"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("A=1\nB=two words\n", {"A": "1", "B": "two words"}, id="plain"),
        pytest.param("\n# comment\n  # another\nA=1", {"A": "1"}, id="comments and empty lines"),
        pytest.param("A=1 # why\nB=a#b\nC= # nothing", {"A": "1", "B": "a#b", "C": ""}, id="comment behind a value"),
        pytest.param("export A=1\n", {"A": "1"}, id="export"),
        pytest.param("A = 1\n B: 2\n", {"A": "1", "B": "2"}, id="spaces and colon"),
        pytest.param('A="x # y" # z\n', {"A": "x # y"}, id="hash within quotes"),
        pytest.param('A="a\\nb\\t\\"c\\""\n', {"A": 'a\nb\t"c"'}, id="escapes"),
        pytest.param("A='$KNOWN \\n'\n", {"A": "$KNOWN \\n"}, id="single quotes take all as it is"),
        pytest.param('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}, id="several lines"),
        pytest.param("A=${KNOWN}\nB=$A-${C:-d}\n", {"A": "k", "B": "k-d"}, id="variables"),
        pytest.param('A="\\$KNOWN"\n', {"A": "$KNOWN"}, id="escaped dollar"),
        pytest.param("A\nB=1", {"A": None, "B": "1"}, id="name alone"),
        pytest.param("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}, id="CRLF"),
        pytest.param("\ufeffA=1\n", {"A": "1"}, id="BOM"),
        pytest.param("A=\n", {"A": ""}, id="empty"),
        pytest.param("my.key-2=1", {"my.key-2": "1"}, id="dots and dashes"),
        pytest.param("A=a=b=c", {"A": "a=b=c"}, id="equal signs"),
    ],
)
def test_lines_become_variables(text: str, expected: dict[str, str | None]) -> None:
    found = read_variables(text.encode(), KNOWN)
    assert found.values == expected
    assert found.problems == ()


def test_raw_takes_values_as_they_stand() -> None:
    found = read_variables(b"# no\nA=\"x\" # y\nB='$KNOWN'\n\n", KNOWN, raw=True)
    assert found.values == {"A": '"x" # y', "B": "'$KNOWN'"}


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        pytest.param(b"A=1\nwhat is this\nB=2", 2, "expected NAME=value", id="no variable"),
        pytest.param(b"A=1\nB='x\n", 2, "not closed", id="quote"),
        pytest.param(b"A=1\nB=\xff", 2, "not UTF-8", id="encoding"),
        pytest.param(b"A=" + b"x" * (1 << 21), 1, "more than", id="size"),
    ],
)
def test_what_is_no_such_file_is_told(content: bytes, line: int, words: str) -> None:
    (problem,) = read_variables(content, {}).problems
    assert (problem.line, problem.is_error) == (line, True)
    assert words in problem.message


def test_a_password_with_a_dollar_survives_and_is_mentioned() -> None:
    found = read_variables(b"PASSWORD=pa$(ss)\n", {})
    assert found.values == {"PASSWORD": "pa$(ss)"}
    assert [problem.is_error for problem in found.problems] == [False]


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    read_variables(content, {})


@settings(max_examples=100)
@given(
    st.dictionaries(st.from_regex(r"[A-Z_]{1,6}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=20))
)
def test_quoted_values_come_back(values: dict[str, str]) -> None:
    quoted = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\r", "\\r")
        for name, value in values.items()
    }
    text = "".join(f'{name}="{value}"\n' for name, value in quoted.items())
    assert read_variables(text.encode(), {}).values == values
