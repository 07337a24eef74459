"""What the page on the life of a pod shows is taken without a fault or a warning."""

import json
import re
import shlex
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from reconciler.api.resizing import faults, with_resources
from reconciler.manifests.documents import load
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerStatus
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.validation import validate

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def pod(block: str) -> Pod:
    found = load("page.yaml", block.encode())
    assert not found.faults
    (claim,) = found.claims
    assert claim.data is not None
    read = decode(BY_NAME["Pod"], msgspec.json.decode(claim.data))
    assert isinstance(read.object, Pod)
    return read.object


@pytest.mark.parametrize("block", BLOCKS)
def test_what_the_page_shows_is_taken(block: str) -> None:
    assert not list(validate(defaulted(pod(block))))


def test_the_command_of_the_page_resizes_the_pod_of_the_page() -> None:
    words = shlex.split(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0])
    assert words[:6] == ["kubectl", "patch", "pod", "cache", "--subresource", "resize"]
    stored = defaulted(pod(next(block for block in BLOCKS if "cache" in block)))
    assert isinstance(stored, Pod)
    (main,) = stored.spec.containers
    told = ContainerStatus(main.image, "x", "main", True, 0, resources=main.resources)
    old = structs.replace(stored, status=structs.replace(stored.status, container_statuses=(told,)))
    (change,) = json.loads(words[-1])["spec"]["containers"]
    limits = {**main.resources.limits, **change["resources"]["limits"]}
    wanted: Container = structs.replace(main, resources=structs.replace(main.resources, limits=limits))
    new = with_resources(old, structs.replace(old, spec=structs.replace(old.spec, containers=(wanted,))))
    assert isinstance(new, Pod)
    assert new.spec.containers[0].resources.limits["cpu"] == "1"
    assert not list(faults(new, old))
