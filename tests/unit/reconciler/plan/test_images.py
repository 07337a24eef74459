import pytest

from reconciler.plan.images import full_name
from reconciler.plan.outcome import Pull
from tests.unit.reconciler.plan.builders import deployment, node, planned


@pytest.mark.parametrize(
    ("written", "full"),
    [
        pytest.param("web", "docker.io/library/web:latest", id="bare"),
        pytest.param("web:1", "docker.io/library/web:1", id="tag"),
        pytest.param("me/web", "docker.io/me/web:latest", id="account"),
        pytest.param("ghcr.io/me/web:1", "ghcr.io/me/web:1", id="registry"),
        pytest.param("localhost/web", "localhost/web:latest", id="localhost"),
        pytest.param("registry:5000/web", "registry:5000/web:latest", id="port"),
        pytest.param("web@sha256:00", "docker.io/library/web@sha256:00", id="digest"),
    ],
)
def test_an_image_has_the_name_that_runtimes_give_it(written: str, full: str) -> None:
    assert full_name(written) == full


def test_only_what_a_node_lacks_is_pulled_and_the_size_is_that_of_any_node() -> None:
    has, lacks = node("n1", images={"docker.io/library/web:2": 1234}), node("n2")
    plan = planned((has, lacks), (deployment(replicas=2),), deployment(replicas=2, image="web:2"))
    assert plan.pulls == (Pull("n2", "web:2", 1234),)


def test_what_runs_on_a_node_is_there_though_nobody_lists_it() -> None:
    plan = planned((node("n1"),), (deployment(replicas=1),), deployment(replicas=3))
    assert plan.pulls == ()


def test_a_size_that_nobody_knows_is_unknown() -> None:
    assert planned((node("n1"),), (), deployment(replicas=1)).pulls == (Pull("n1", "web:1", None),)
