"""https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins: nodes that have the images are better.

Bytes that are there, less where few nodes have them, between 23 MiB (0) and 1,000 MiB for each container (100).
"""

import pytest

from schemas.core.node import Node
from tests.oracles.scheduler.chance import made
from tests.unit.reconciler.scheduler.plugins.asking import HOSTNAME, Json, asking, pod, scores


def having(name: str, **images: int) -> Node:
    told = [{"names": [image.replace("_", ":")], "sizeBytes": size << 20} for image, size in images.items()]
    status = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}, "images": told}
    return made(Node, {"metadata": {"name": name, "labels": {HOSTNAME: name}}, "status": status})


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({}, {}, (0, 0), id="nobody has it"),
        pytest.param({"app_1": 1000}, {"app_1": 1000}, (100, 100), id="both have the largest"),
        pytest.param({"app_1": 1000}, {}, (48, 0), id="one of two has it: half the size counts"),
        pytest.param({"app_1": 20}, {}, (0, 0), id="too small to matter"),
        pytest.param({"app_1": 5000}, {"app_1": 5000}, (100, 100), id="larger than counts"),
        pytest.param({"app_2": 1000}, {}, (0, 0), id="another tag"),
    ],
)
def test_one_container(first: Json, second: Json, expected: tuple[int, int]) -> None:
    found = scores("ImageLocality", pod(), having("n1", **first), having("n2", **second))
    assert (found["n1"], found["n2"]) == expected


def test_init_containers_count_and_no_tag_means_latest() -> None:
    asked = pod(
        initContainers=[asking() | {"name": "i", "image": "tool"}], containers=[asking() | {"image": "host:5000/app"}]
    )
    nodes = (having("n1", **{"tool:latest": 1000, "host:5000/app:latest": 1000}), having("n2", **{"tool:latest": 1000}))
    # n1: 1,000 MiB and half of 1,000; n2: 1,000 MiB; of 2,000 for two containers.
    assert scores("ImageLocality", asked, *nodes) == {"n1": 100 * (1500 - 23) // 1977, "n2": 100 * (1000 - 23) // 1977}
