import pytest

from reconciler.api.attributes import Attributes, attributes, forbidden
from reconciler.api.status import StatusError


def a(verb: str, resource: str, namespace: str = "", name: str = "", sub: str = "", group: str = "") -> Attributes:
    return Attributes(verb, group, "v1", resource, sub, namespace, name)


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, a("list", "pods")),
        ("GET", "/api/v1/namespaces/shop/pods", {}, a("list", "pods", "shop")),
        ("GET", "/api/v1/namespaces/shop/pods", {"watch": "true"}, a("watch", "pods", "shop")),
        ("GET", "/api/v1/pods", {"fieldSelector": "metadata.name=web"}, a("list", "pods", name="web")),
        ("GET", "/api/v1/watch/namespaces/shop/pods/web", {}, a("watch", "pods", "shop", "web")),
        ("GET", "/api/v1/namespaces/shop/pods/web", {}, a("get", "pods", "shop", "web")),
        ("GET", "/api/v1/namespaces/shop/pods/web/log", {}, a("get", "pods", "shop", "web", "log")),
        ("GET", "/api/v1/namespaces/shop/pods/web/proxy/a/b", {}, a("get", "pods", "shop", "web", "proxy")),
        ("GET", "/api/v1/namespaces/shop/pods/web/proxy/a%2Fb//../c", {}, a("get", "pods", "shop", "web", "proxy")),
        ("POST", "/api/v1/namespaces/shop/pods/web/exec", {}, a("create", "pods", "shop", "web", "exec")),
        ("GET", "/api/v1/namespaces", {}, a("list", "namespaces")),
        ("GET", "/api/v1/namespaces/shop", {}, a("get", "namespaces", "shop", "shop")),
        ("PUT", "/api/v1/namespaces/shop/status", {}, a("update", "namespaces", "shop", "shop", "status")),
        ("DELETE", "/api/v1/namespaces/shop/pods", {}, a("deletecollection", "pods", "shop")),
        ("DELETE", "/api/v1/namespaces/shop/pods/web", {}, a("delete", "pods", "shop", "web")),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", {}, a("patch", "deployments", "a", "b", group="apps")),
        ("GET", "/api/v1/namespaces/shop/pods/%77eb", {}, a("get", "pods", "shop", "web")),
        ("GET", "/api/v1", {}, Attributes("get", path="/api/v1")),
        ("GET", "/apis/apps/v1", {}, Attributes("get", path="/apis/apps/v1")),
        ("GET", "/metrics", {}, Attributes("get", path="/metrics")),
        ("GET", "/logs/", {}, Attributes("get", path="/logs/")),
        ("GET", "/", {}, Attributes("get", path="/")),
        ("POST", "/wherry/v1/approve", {}, Attributes("post", path="/wherry/v1/approve")),
    ],
)
def test_a_request_is_a_verb_on_something(method: str, path: str, query: dict[str, str], expected: Attributes) -> None:
    assert attributes(method, path, query) == expected


def test_a_websocket_into_a_pod_is_no_reading() -> None:
    path = "/api/v1/namespaces/shop/pods/web"
    assert attributes("GET", f"{path}/exec", {}, upgrade=True).verb == "create"
    assert attributes("GET", f"{path}/log", {}, upgrade=True).verb == "get"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/shop%2Fsecrets%2Fkeys",
        "/api/v1/namespaces/shop/pods/%2573ecret",
        "/api/v1/namespaces/shop/../kube-system/secrets",
        "/api/v1/namespaces//pods",
        "/apis/apps%2Fv1/v1/deployments",
        "/wherry/v1/%2e%2e/metrics",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_leads_nowhere(path: str) -> None:
    with pytest.raises(StatusError) as caught:
        attributes("GET", path, {})
    assert caught.value.code == 404


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            a("list", "pods"),
            'pods is forbidden: User "x" cannot list resource "pods" in API group "" at the cluster scope',
        ),
        (
            a("get", "deployments", "shop", "web", "scale", group="apps"),
            'deployments.apps "web" is forbidden: User "x" cannot get resource "deployments/scale" '
            'in API group "apps" in the namespace "shop"',
        ),
        (Attributes("get", path="/metrics"), 'forbidden: User "x" cannot get path "/metrics"'),
    ],
)
def test_a_refusal_is_told_as_kubernetes_tells_it(asked: Attributes, message: str) -> None:
    error = forbidden("x", asked)
    assert (error.code, error.reason, error.message) == (403, "Forbidden", message)
    assert forbidden("x", asked, "why").message == f"{message}: why"
