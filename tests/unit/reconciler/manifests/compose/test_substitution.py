import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.compose.substitution import substitute

VARIABLES = {"SET": "value", "EMPTY": "", "OTHER": "other", "_u1": "under"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="no variable"),
        pytest.param("$SET", "value", id="bare"),
        pytest.param("a${SET}b$SET.c", "avaluebvalue.c", id="within text"),
        pytest.param("$_u1", "under", id="underscore and digit"),
        pytest.param("$$SET $${SET} $$$SET", "$SET ${SET} $value", id="escaped"),
        pytest.param("${EMPTY}", "", id="empty"),
        pytest.param("${UNSET:-d}", "d", id="default where unset"),
        pytest.param("${EMPTY:-d}", "d", id="default where empty"),
        pytest.param("${SET:-d}", "value", id="default not needed"),
        pytest.param("${UNSET-d}", "d", id="weak default where unset"),
        pytest.param("${EMPTY-d}", "", id="weak default where empty"),
        pytest.param("${SET:?e}", "value", id="demand met"),
        pytest.param("${EMPTY?e}", "", id="weak demand met by empty"),
        pytest.param("${SET:+r}", "r", id="replacement where set"),
        pytest.param("${EMPTY:+r}", "", id="no replacement where empty"),
        pytest.param("${EMPTY+r}", "r", id="weak replacement where empty"),
        pytest.param("${UNSET+r}", "", id="no weak replacement where unset"),
        pytest.param("${UNSET:-${OTHER}}", "other", id="nested"),
        pytest.param("${UNSET:-${NONE:-deep}}", "deep", id="nested twice"),
        pytest.param("${UNSET:-a-b:c?d}", "a-b:c?d", id="operators within a default"),
        pytest.param("${UNSET:-$SET/$$x}", "value/$x", id="variables and escapes within a default"),
        pytest.param("${UNSET:-}", "", id="empty default"),
        pytest.param("/home/${SET}:/${SET}:ro", "/home/value:/value:ro", id="a mount"),
    ],
)
def test_variables_are_replaced(text: str, expected: str) -> None:
    found = substitute(text, VARIABLES)
    assert (found.text, found.unset, found.error) == (expected, (), "")


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        pytest.param("$UNSET and ${UNSET} and $NONE", ("UNSET", "NONE"), id="each once"),
        pytest.param("${UNSET:-$NONE}", ("NONE",), id="the default is unset"),
        pytest.param("${SET:-$NONE}", (), id="the default is not needed"),
        pytest.param("${EMPTY+$NONE}", ("NONE",), id="the replacement is unset"),
        pytest.param("${UNSET+$NONE}", (), id="the replacement is not needed"),
    ],
)
def test_what_is_not_set_is_named(text: str, unset: tuple[str, ...]) -> None:
    assert substitute(text, VARIABLES).unset == unset


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("${UNSET:?say why}", "UNSET has to be set: say why", id="demand"),
        pytest.param("${UNSET?}", "UNSET has to be set; set it in .env", id="demand without words"),
        pytest.param("${EMPTY:?no $SET}", "EMPTY has to be set: no value", id="demand with a variable"),
        pytest.param("${SET", "`${SET` has to be followed by", id="not closed"),
        pytest.param("${SET:-x", "`${` has no `}`", id="default not closed"),
        pytest.param("${}", "followed by a name", id="no name"),
        pytest.param("${SET/a/b}", "found '/'", id="a form of the shell"),
        pytest.param("cost: 5$", "`$` names no variable", id="dollar at the end"),
        pytest.param("$(date)", "`$(` names no variable", id="command substitution"),
        pytest.param("${A:-" * 30 + "x" + "}" * 30, "nest deeper", id="too deep"),
    ],
)
def test_what_is_no_variable_is_told(text: str, words: str) -> None:
    found = substitute(text, VARIABLES)
    assert found.text is None
    assert words in found.error


def test_a_value_does_not_grow_without_end() -> None:
    assert "grows beyond" in substitute("$A" * 100, {"A": "x" * 100_000}).error


names = st.text(string.ascii_letters + "_", min_size=1, max_size=6)
plain = st.text(max_size=12).filter(lambda text: "$" not in text)


@settings(max_examples=150)
@given(st.lists(st.one_of(plain, names.map(lambda name: f"${{{name}}}")), max_size=6), st.dictionaries(names, plain))
def test_text_is_that_of_its_parts(parts: list[str], variables: dict[str, str]) -> None:
    expected = "".join(variables.get(part[2:-1], "") if part.startswith("${") else part for part in parts)
    assert substitute("".join(parts), variables).text == expected


@settings(max_examples=150)
@given(st.text(max_size=30))
def test_a_doubled_dollar_means_itself(text: str) -> None:
    assert substitute(text.replace("$", "$$"), {}).text == text


@settings(max_examples=200)
@given(st.text("${}:-?+AB x", max_size=25))
def test_any_text_has_an_answer(text: str) -> None:
    found = substitute(text, {"A": "1"})
    assert (found.text is None) == bool(found.error)


@settings(max_examples=100)
@given(names, plain.filter(lambda text: "}" not in text), st.sampled_from([None, "", "here"]))
def test_defaults_follow_the_shell(name: str, default: str, value: str | None) -> None:
    variables = {} if value is None else {name: value}
    assert substitute(f"${{{name}:-{default}}}", variables).text == (value or default)
    assert substitute(f"${{{name}-{default}}}", variables).text == (default if value is None else value)
    assert substitute(f"${{{name}:+{default}}}", variables).text == (default if value else "")
    assert substitute(f"${{{name}+{default}}}", variables).text == ("" if value is None else default)
