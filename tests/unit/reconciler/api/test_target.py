import pytest

from reconciler.api.status import StatusError
from reconciler.api.target import parse

DEPLOYMENTS, PODS, NODES, NAMESPACES = "deployments", "pods", "nodes", "namespaces"


@pytest.mark.parametrize(
    ("group", "tail", "found"),
    [
        pytest.param("", "pods", (PODS, None, "", "", False), id="all namespaces"),
        pytest.param("", "namespaces/a/pods", (PODS, "a", "", "", False), id="one namespace"),
        pytest.param("", "namespaces/a/pods/p", (PODS, "a", "p", "", False), id="one object"),
        pytest.param("", "namespaces/a/pods/p/status", (PODS, "a", "p", "status", False), id="subresource"),
        pytest.param("", "nodes/n", (NODES, None, "n", "", False), id="cluster scope"),
        pytest.param("", "namespaces", (NAMESPACES, None, "", "", False), id="the namespaces"),
        pytest.param("", "namespaces/a", (NAMESPACES, None, "a", "", False), id="a namespace"),
        pytest.param("", "namespaces/a/status", (NAMESPACES, None, "a", "status", False), id="of a namespace"),
        pytest.param("", "watch/namespaces/a/pods", (PODS, "a", "", "", True), id="the old way to watch"),
        pytest.param("apps", "namespaces/a/deployments/d/scale", (DEPLOYMENTS, "a", "d", "scale", False), id="scale"),
        pytest.param("", "namespaces/a/pods/p%20q", (PODS, "a", "p q", "", False), id="escaped"),
    ],
)
def test_a_path_names_its_target(group: str, tail: str, found: tuple[object, ...]) -> None:
    target = parse(group, "v1", tail)
    assert (target.kind.plural, target.namespace, target.name, target.subresource, target.watch) == found


@pytest.mark.parametrize(
    ("group", "version", "tail"),
    [
        pytest.param("", "v1", "nosuchthings", id="resource"),
        pytest.param("apps", "v9", "deployments", id="version"),
        pytest.param("nosuch.example.com", "v1", "things", id="group"),
        pytest.param("", "v1", "namespaces/a/configmaps/c/scale", id="subresource"),
        pytest.param("", "v1", "namespaces/a/nodes", id="cluster-scoped kind in a namespace"),
        pytest.param("", "v1", "pods/p", id="namespaced object without its namespace"),
        pytest.param("", "v1", "namespaces/a/pods/p/status/more", id="too deep"),
        pytest.param("", "v1", "namespaces//pods", id="empty part"),
    ],
)
def test_what_is_not_served_is_not_found(group: str, version: str, tail: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse(group, version, tail)
    assert caught.value.code == 404
