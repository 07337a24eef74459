"""Pods that fill more disk than they may."""

import pytest

from nodeagent.machine.ranking import PodUse, Use
from nodeagent.machine.storagelimits import fault, is_limited
from schemas.core.container import Container, ResourceRequirements
from schemas.core.pod import Pod, PodSpec
from schemas.core.volume import EmptyDirVolumeSource, Volume
from schemas.meta import ObjectMeta

MIB = 1024**2


def pod(limit: str = "", size_limit: str = "", medium: str = "") -> Pod:
    amounts = ResourceRequirements(limits={"ephemeral-storage": limit} if limit else {})
    source = EmptyDirVolumeSource(size_limit=size_limit or None, medium=medium)
    return Pod(
        metadata=ObjectMeta(name="a", namespace="default", uid="a"),
        spec=PodSpec(
            containers=(Container(name="main", image="x", resources=amounts), Container(name="other", image="x")),
            volumes=(Volume(name="cache", empty_dir=source),),
        ),
    )


@pytest.mark.parametrize(
    ("what", "main", "other", "cache", "told"),
    [
        pytest.param(pod(), 900, 900, 900, "", id="no limits"),
        pytest.param(pod(size_limit="1Mi"), 0, 0, 1, "", id="just the limit of a volume"),
        pytest.param(
            pod(size_limit="1Mi"),
            0,
            0,
            2,
            'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
            id="more than the limit of a volume",
        ),
        pytest.param(pod(size_limit="1Mi", medium="Memory"), 0, 0, 2, "", id="one in memory cannot"),
        pytest.param(
            pod(limit="10Mi"),
            2,
            2,
            8,
            "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ",
            id="volumes, logs and layers together",
        ),
        pytest.param(pod(limit="10Mi"), 9, 1, 0, "", id="just the limit"),
    ],
)
def test_the_first_limit_that_is_exceeded_is_told(what: Pod, main: int, other: int, cache: int, told: str) -> None:
    containers = {"main": Use(storage=main * MIB), "other": Use(storage=other * MIB)}
    assert fault(PodUse(what, containers, {"cache": Use(storage=cache * MIB)})) == told


def test_a_container_has_its_own_limit_where_the_pod_has_a_larger_one() -> None:
    both = pod(limit="10Mi")
    other = Container(name="other", image="x", resources=ResourceRequirements(limits={"ephemeral-storage": "90Mi"}))
    what = Pod(metadata=both.metadata, spec=PodSpec(containers=(both.spec.containers[0], other)))
    assert (
        fault(PodUse(what, {"main": Use(storage=11 * MIB)}))
        == 'Container main exceeded its local ephemeral storage limit "10Mi". '
    )


def test_only_pods_with_limits_are_measured_at_each_look() -> None:
    assert not is_limited(pod())
    assert not is_limited(pod(size_limit="1Mi", medium="Memory"))
    assert is_limited(pod(size_limit="1Mi"))
    assert is_limited(pod(limit="1Mi"))
