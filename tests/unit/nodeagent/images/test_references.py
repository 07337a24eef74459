"""Names of images."""

import pytest

from nodeagent.images.references import fault_of, full, names, registry_of, repository_of, server_of
from nodeagent.runtime.archive import normalise

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "written"),
    [
        pytest.param("nginx", "docker.io/library/nginx:latest", id="name alone"),
        pytest.param("team/app:2", "docker.io/team/app:2", id="of a user"),
        pytest.param("docker.io/nginx:1", "docker.io/library/nginx:1", id="registry written"),
        pytest.param("index.docker.io/library/nginx:1", "docker.io/library/nginx:1", id="its older name"),
        pytest.param("localhost/app", "localhost/app:latest", id="localhost"),
        pytest.param("host:5000/a/b:1", "host:5000/a/b:1", id="port"),
        pytest.param(f"ghcr.io/a/b@{DIGEST}", f"ghcr.io/a/b@{DIGEST}", id="digest"),
        pytest.param(f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b@{DIGEST}", id="tag and digest"),
    ],
)
def test_a_name_has_one_full_form(image: str, written: str) -> None:
    assert full(image) == written
    assert full(written) == written


@pytest.mark.parametrize("image", ["nginx", "team/app:2", "localhost/app", "host:5000/a/b:1", f"ghcr.io/a/b@{DIGEST}"])
def test_archives_and_pods_write_the_same_full_form(image: str) -> None:
    assert full(image) == normalise(image)


def test_the_registry_of_a_name_is_its_host_or_docker_hub() -> None:
    assert [registry_of(image) for image in ("nginx", "a/b", "ghcr.io/a", "host:5000/a")] == [
        "docker.io",
        "docker.io",
        "ghcr.io",
        "host:5000",
    ]
    assert server_of("nginx") == "registry-1.docker.io"
    assert server_of("ghcr.io/a") == "ghcr.io"
    assert repository_of(f"host:5000/a/b:1@{DIGEST}") == "host:5000/a/b"


def test_what_is_no_reference_has_no_full_form() -> None:
    assert fault_of("Nginx")
    assert names(["", "Nginx", "nginx:1"]) == {"docker.io/library/nginx:1"}
