import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.gojson import fault


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("not json", "invalid character 'o' in literal null (expecting 'u')", id="literal"),
        pytest.param("", "unexpected end of JSON input", id="empty"),
        pytest.param('{"data":', "unexpected end of JSON input", id="cut off"),
        pytest.param("{a: 1}", "invalid character 'a' looking for beginning of object key string", id="bare key"),
        pytest.param('{"a" 1}', "invalid character '1' after object key", id="no colon"),
        pytest.param('{"a":1 "b"}', "invalid character '\"' after object key:value pair", id="no comma"),
        pytest.param("[1 2]", "invalid character '2' after array element", id="list without comma"),
        pytest.param("{}x", "invalid character 'x' after top-level value", id="more behind it"),
        pytest.param('["\n"]', r"invalid character '\n' in string literal", id="line end in a string"),
        pytest.param(r'"\q"', "invalid character 'q' in string escape code", id="escape"),
        pytest.param("-x", "invalid character 'x' in numeric literal", id="sign"),
        pytest.param("1.x", "invalid character 'x' after decimal point in numeric literal", id="fraction"),
        pytest.param("[1,]", "invalid character ']' looking for beginning of value", id="trailing comma"),
        pytest.param("<a>", "invalid character '<' looking for beginning of value", id="no JSON at all"),
    ],
)
def test_what_is_no_json_is_told_in_gos_words(text: str, expected: str) -> None:
    assert fault(text.encode()) == expected


documents = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100)
@given(document=documents, indent=st.sampled_from([None, 1]))
def test_a_sound_document_has_no_fault(document: object, indent: int | None) -> None:
    assert fault(json.dumps(document, indent=indent).encode()) == ""


@settings(max_examples=200)
@given(text=st.text(alphabet='{}[]",:\\tfnu1.e- ', max_size=12))
def test_a_fault_is_found_where_python_finds_one(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        assert fault(text.encode())
    else:
        assert fault(text.encode()) == ""


def test_a_deep_document_costs_no_stack() -> None:
    assert fault(b"[" * 9_000 + b"]" * 9_000) == ""
    assert fault(b"[" * 200_000) == "exceeded max depth"
