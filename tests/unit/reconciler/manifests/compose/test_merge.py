from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.compose.files import plain
from reconciler.manifests.compose.merge import merged, without_tags
from reconciler.manifests.compose.nodes import Node, read_file


def read(text: str) -> Node:
    found = read_file("compose.yaml", text.encode(), "")
    assert found.refused is None
    assert not found.problems
    return found.documents[0]


def merge(before: str, after: str) -> Any:  # noqa: ANN401
    """What the service `a` of two files becomes."""
    first, second = (read(f"services: {{a: {text}}}") for text in (before, after))
    whole: Any = plain(without_tags(merged(first, second)))
    return whole["services"]["a"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("{image: x, tty: true}", "{image: y}", {"image": "y", "tty": True}, id="values replace"),
        pytest.param("{dns: [1.1.1.1]}", "{dns: [8.8.8.8]}", {"dns": ["1.1.1.1", "8.8.8.8"]}, id="lists are joined"),
        pytest.param("{dns: [1.1.1.1]}", "{dns: [1.1.1.1]}", {"dns": ["1.1.1.1"]}, id="nothing twice"),
        pytest.param("{dns: 1.1.1.1}", "{dns: [8.8.8.8]}", {"dns": ["1.1.1.1", "8.8.8.8"]}, id="one and a list"),
        pytest.param("{command: [a, b]}", "{command: [c]}", {"command": ["c"]}, id="commands replace"),
        pytest.param("{entrypoint: [a]}", "{entrypoint: b}", {"entrypoint": "b"}, id="entrypoints replace"),
        pytest.param(
            "{healthcheck: {test: [CMD, a], retries: 1}}",
            "{healthcheck: {test: [CMD, b]}}",
            {"healthcheck": {"test": ["CMD", "b"], "retries": 1}},
            id="tests replace, the rest is merged",
        ),
        pytest.param(
            "{environment: [A=1, B=2]}", "{environment: {B: 3}}", {"environment": {"A": "1", "B": 3}}, id="variables"
        ),
        pytest.param(
            "{environment: [A=1, B=2]}", "{environment: [B=3]}", {"environment": {"A": "1", "B": "3"}}, id="in lists"
        ),
        pytest.param("{labels: {a: b}}", "{labels: [c=d]}", {"labels": {"a": "b", "c": "d"}}, id="labels"),
        pytest.param(
            "{volumes: [a:/x, b:/y]}",
            "{volumes: [{type: volume, source: c, target: /x}]}",
            {"volumes": [{"type": "volume", "source": "c", "target": "/x"}, "b:/y"]},
            id="mounts by target",
        ),
        pytest.param(
            "{volumes: ['./a:/x/']}", "{volumes: ['./b:/x']}", {"volumes": ["./b:/x"]}, id="target with a slash"
        ),
        pytest.param(
            "{ports: ['80:80', '443:443']}",
            "{ports: ['8080:80']}",
            {"ports": ["80:80", "443:443", "8080:80"]},
            id="ports",
        ),
        pytest.param(
            "{ports: ['80:80']}",
            "{ports: [{target: 80, published: 80}]}",
            {"ports": [{"target": 80, "published": 80}]},
            id="the same port in two forms",
        ),
        pytest.param(
            "{secrets: [a]}",
            "{secrets: [{source: b, target: a}]}",
            {"secrets": [{"source": "b", "target": "a"}]},
            id="secrets by target",
        ),
        pytest.param("{expose: [80]}", "{expose: ['80', 81]}", {"expose": ["80", 81]}, id="exposed ports"),
        pytest.param(
            "{depends_on: [a]}",
            "{depends_on: {b: {condition: service_healthy}}}",
            {"depends_on": {"a": {"condition": "service_started"}, "b": {"condition": "service_healthy"}}},
            id="dependencies in two forms",
        ),
        pytest.param(
            "{networks: [a]}",
            "{networks: {b: {aliases: [x]}}}",
            {"networks": {"a": None, "b": {"aliases": ["x"]}}},
            id="networks",
        ),
        pytest.param("{ports: ['80:80'], image: x}", "{ports: !reset []}", {"image": "x"}, id="reset"),
        pytest.param(
            "{environment: {A: 1, B: 2}}",
            "{environment: {A: !reset null}}",
            {"environment": {"B": 2}},
            id="reset within",
        ),
        pytest.param("{ports: ['80:80']}", "{ports: !override ['81:81']}", {"ports": ["81:81"]}, id="override"),
        pytest.param(
            "{image: x}", "{ports: !override ['81:81']}", {"image": "x", "ports": ["81:81"]}, id="override of nothing"
        ),
        pytest.param(
            "{logging: {driver: a, options: {x: 1}}}",
            "{logging: {driver: b}}",
            {"logging": {"driver": "b"}},
            id="another driver",
        ),
        pytest.param(
            "{logging: {driver: a, options: {x: 1}}}",
            "{logging: {options: {y: 2}}}",
            {"logging": {"driver": "a", "options": {"x": 1, "y": 2}}},
            id="the same driver",
        ),
        pytest.param("{x-a: {b: 1}}", "{x-a: {c: 2}}", {"x-a": {"c": 2}}, id="own keys replace"),
        pytest.param(
            "{deploy: {replicas: 2}}", "{deploy: null}", {"deploy": {"replicas": 2}}, id="nothing replaces nothing"
        ),
    ],
)
def test_a_service_of_two_files(before: str, after: str, expected: object) -> None:
    assert merge(before, after) == expected


def test_every_part_keeps_the_line_and_file_that_it_came_from() -> None:
    first = read_file("a.yaml", b"services:\n  web:\n    image: x\n    ports:\n      - 80:80\n", "").documents[0]
    second = read_file("b.yaml", b"services:\n\n  web:\n    ports:\n\n      - 81:81\n", "").documents[0]
    web = merged(first, second).map["services"].map["web"]
    assert (web.map["image"].file, web.map["image"].line) == ("a.yaml", 3)
    assert [(port.file, port.line) for port in web.map["ports"].list] == [("a.yaml", 5), ("b.yaml", 6)]


services = st.recursive(
    st.one_of(st.integers(0, 9), st.text("ab", max_size=3)),
    lambda inner: st.dictionaries(
        st.sampled_from(["image", "deploy", "environment", "ulimits", "q"]), inner, max_size=3
    ),
    max_leaves=6,
)
trees = st.dictionaries(
    st.sampled_from(["services", "volumes"]), st.dictionaries(st.sampled_from("ab"), services), max_size=2
)


def as_node(value: Any) -> Node:  # noqa: ANN401
    if isinstance(value, dict):
        return Node({key: as_node(child) for key, child in value.items()}, "f", 1, "")
    return Node(value, "f", 1, "")


@settings(max_examples=100)
@given(trees)
def test_a_file_over_itself_is_itself(tree: dict[str, Any]) -> None:
    assert plain(merged(as_node(tree), as_node(tree))) == tree


@settings(max_examples=100)
@given(trees, trees, trees)
def test_maps_merge_in_any_grouping(one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]) -> None:
    a, b, c = as_node(one), as_node(two), as_node(three)
    left, right = plain(merged(merged(a, b), c)), plain(merged(a, merged(b, c)))
    if not any(isinstance(x, dict) != isinstance(y, dict) for x, y in clashes(one, two, three)):
        assert left == right


def clashes(*trees: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Values that stand at one place in two of the trees."""
    found = []
    for index, first in enumerate(trees):
        for second in trees[index + 1 :]:
            for key in first.keys() & second.keys():
                found.append((first[key], second[key]))
                if isinstance(first[key], dict) and isinstance(second[key], dict):
                    found += clashes(first[key], second[key])
    return found
