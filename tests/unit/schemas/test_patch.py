from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.core.config import ConfigMap
from schemas.core.pod import Pod
from schemas.patch import json_patch, merge_patch, strategic_merge_patch
from schemas.shape import Json


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        pytest.param({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}, id="add a field"),
        pytest.param({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}, id="insert"),
        pytest.param({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}, id="append"),
        pytest.param({"a": 1}, {"op": "add", "path": "", "value": 2}, 2, id="the whole document"),
        pytest.param({"a": 1, "b": 2}, {"op": "remove", "path": "/a"}, {"b": 2}, id="remove"),
        pytest.param({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}, id="remove an element"),
        pytest.param({"a": 1}, {"op": "replace", "path": "/a", "value": None}, {"a": None}, id="replace"),
        pytest.param({"a": 1}, {"op": "move", "from": "/a", "path": "/b"}, {"b": 1}, id="move"),
        pytest.param({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}, id="copy"),
        pytest.param({"a/b": {"c~d": 1}}, {"op": "remove", "path": "/a~1b/c~0d"}, {"a/b": {}}, id="escapes"),
        pytest.param({"a": {"b": 1}}, {"op": "test", "path": "/a", "value": {"b": 1.0}}, {"a": {"b": 1}}, id="test"),
    ],
)
def test_a_json_patch_does_what_the_rfc_says(document: Json, operation: dict[str, Any], expected: Json) -> None:
    assert json_patch(document, [operation]) == expected


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        pytest.param({"op": "remove", "path": "/x"}, "/x is not there", id="remove nothing"),
        pytest.param({"op": "replace", "path": "/x", "value": 1}, "/x is not there", id="replace nothing"),
        pytest.param({"op": "add", "path": "/x/y", "value": 1}, "/x is not there", id="no parent"),
        pytest.param({"op": "add", "path": "/a/9", "value": 1}, "the list has 2 elements", id="beyond the end"),
        pytest.param({"op": "add", "path": "/a/01", "value": 1}, "the list has 2 elements", id="a leading zero"),
        pytest.param({"op": "remove", "path": "/a/-"}, "the list has 2 elements", id="remove behind the end"),
        pytest.param({"op": "test", "path": "/t", "value": 1}, "the test failed", id="true is not 1"),
        pytest.param({"op": "move", "from": "/m", "path": "/m/x"}, "into itself", id="into itself"),
        pytest.param({"op": "add", "path": "/b"}, "`value` is missing", id="no value"),
        pytest.param({"op": "add", "value": 1}, "`path` is missing", id="no path"),
        pytest.param({"op": "add", "path": "b", "value": 1}, "expected a pointer", id="no pointer"),
        pytest.param({"op": "grow", "path": "/b"}, "unknown `op`", id="no operation"),
    ],
)
def test_a_json_patch_that_cannot_be_done_says_why(operation: dict[str, Any], words: str) -> None:
    document = {"a": [1, 2], "t": True, "m": {}}
    with pytest.raises(ValueError, match=words):
        json_patch(document, [{"op": "add", "path": "/done", "value": 1}, operation])
    assert document == {"a": [1, 2], "t": True, "m": {}}


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="replace"),
        pytest.param({"a": "b"}, {"a": None}, {}, id="remove"),
        pytest.param({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}, id="merge"),
        pytest.param({"a": [1, 2]}, {"a": [3]}, {"a": [3]}, id="lists are replaced"),
        pytest.param({"a": 1}, ["c"], ["c"], id="no map"),
        pytest.param({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}, id="nulls are not added"),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(document: Json, patch: Json, expected: Json) -> None:
    assert merge_patch(document, patch) == expected


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"spec": {"containers": list(containers), **spec}}


A, B, C = {"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c", "image": "1"}


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        pytest.param(pod(A, B), pod({"name": "b", "image": "2"}), pod(A, B | {"image": "2"}), id="an element"),
        pytest.param(pod(A), pod(B), pod(B, A), id="a new element"),
        pytest.param(pod(A, B), pod(C, B), pod(C, A, B), id="a new element before one that is there"),
        pytest.param(pod(A, B, C), pod(B | {"image": "2"}, A), pod(B | {"image": "2"}, A, C), id="another order"),
        pytest.param(pod(A, B), pod({"name": "a", "$patch": "delete"}), pod(B), id="delete an element"),
        pytest.param(pod(A, B), pod(C, {"$patch": "replace"}), pod(C), id="replace the list"),
        pytest.param(
            pod(A | {"command": ["x"]}), pod(A | {"command": ["y"]}), pod(A | {"command": ["y"]}), id="a plain list"
        ),
        pytest.param(pod(A | {"tty": True}), pod({"name": "a", "tty": None}), pod(A), id="null removes"),
        pytest.param(
            pod(A, nodeSelector={"x": "1"}),
            {"spec": {"nodeSelector": {"y": "2"}}},
            pod(A, nodeSelector={"x": "1", "y": "2"}),
            id="a map",
        ),
        pytest.param(
            pod(A, nodeSelector={"x": "1"}),
            {"spec": {"nodeSelector": {"$patch": "replace", "y": "2"}}},
            pod(A, nodeSelector={"y": "2"}),
            id="replace a map",
        ),
        pytest.param(
            pod(A, nodeSelector={"x": "1"}), {"spec": {"nodeSelector": {"$patch": "delete"}}}, pod(A), id="delete a map"
        ),
        pytest.param(
            pod(A, B),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}], "containers": [C]}},
            pod(B, C, A),
            id="order the elements",
        ),
        pytest.param(
            pod(A, volumes=[{"name": "v", "emptyDir": {}}]),
            {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
            pod(A, volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
            id="retain keys",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
            id="a set",
        ),
        pytest.param(
            pod(A | {"ports": [{"containerPort": 80, "name": "x"}]}),
            pod({"name": "a", "ports": [{"containerPort": 80, "name": "y"}]}),
            pod(A | {"ports": [{"containerPort": 80, "name": "y"}]}),
            id="ports by number",
        ),
        pytest.param(
            pod(A, tolerations=[{"key": "x"}]),
            pod(tolerations=[{"key": "y"}]) | {},
            pod(A, tolerations=[{"key": "y"}]),
            id="atomic",
        ),
    ],
)
def test_a_strategic_merge_patch_merges_by_the_keys_of_the_type(
    document: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert strategic_merge_patch(Pod, document, patch) == expected


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        pytest.param(
            {"$patch": "shred"},
            r"unknown patch type: shred in map: map\[\$patch:shred\]",
            id="an unknown directive value",
        ),
        pytest.param({"spec": {"$frob": 1}}, "unknown directive", id="an unknown directive"),
        pytest.param(pod({"image": "x"}), "lacks the field `name`", id="an element without its key"),
    ],
)
def test_a_strategic_merge_patch_that_makes_no_sense_says_why(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        strategic_merge_patch(Pod, pod(A), patch)


config_maps = st.fixed_dictionaries(
    {}, optional={name: st.dictionaries(st.sampled_from("xyz"), st.text(max_size=2)) for name in ("data", "binaryData")}
)


@given(config_maps, config_maps)
def test_patches_of_plain_maps_agree(document: dict[str, Any], patch: dict[str, Any]) -> None:
    assert strategic_merge_patch(ConfigMap, document, patch) == merge_patch(document, patch)
