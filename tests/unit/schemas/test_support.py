from typing import Any

import pytest

from schemas.kinds import KINDS
from schemas.meta import Object, Record
from schemas.shape import shape_of
from schemas.support import record_of, unsupported
from schemas.support.__main__ import PAGE, page
from schemas.support.gaps import GAPS
from schemas.support.implemented import IMPLEMENTED
from tests.unit.schemas.build import decoded, deployment, document, pod

COVERED = {gap.field for gap in GAPS if gap.field.count(".") == 1}
"""Gaps that speak for all that is below their field."""


def fields_of_the_served_kinds() -> dict[str, set[str]]:
    """By type, every field that is not below a gap; `status` is Wherry's own."""
    found: dict[str, set[str]] = {}
    waiting: list[type[Record]] = [kind.type for kind in KINDS]
    while waiting:
        type_ = waiting.pop()
        if type_.__name__ in found:
            continue
        found[type_.__name__] = set(shape_of(type_).fields)
        for name, field in shape_of(type_).fields.items():
            below = record_of(field.shape)
            of_status = name == "status" and issubclass(type_, Object)
            if below is not None and not of_status and f"{type_.__name__}.{name}" not in COVERED:
                waiting.append(below)
    return found


def test_every_official_field_is_implemented_or_a_gap() -> None:
    silent = {
        f"{type_}.{field}"
        for type_, fields in fields_of_the_served_kinds().items()
        for field in fields - IMPLEMENTED.get(type_, frozenset())
    }
    assert silent - COVERED == set()


def test_no_field_is_both_implemented_and_a_gap() -> None:
    implemented = {f"{type_}.{field}" for type_, fields in IMPLEMENTED.items() for field in fields}
    assert implemented & COVERED == set()


def test_the_lists_name_only_fields_that_exist() -> None:
    fields = fields_of_the_served_kinds()
    for type_, listed in IMPLEMENTED.items():
        assert listed <= fields.get(type_, set()), type_
    for gap in GAPS:
        type_, field = gap.field.split(".")[:2]
        assert field in fields[type_], gap.field


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m schemas.support`"


def faults(written: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault.severity, fault.field) for fault in unsupported(decoded(written))]


def affinity(field: str, rule: str) -> dict[str, Any]:
    term: dict[str, Any] = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}}
    if rule.startswith("preferred"):
        term = {"weight": 1, "podAffinityTerm": term}
    return pod(affinity={field: {rule: [term]}})


def spread(when: str) -> dict[str, Any]:
    return pod(topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": when}])


def volume(**source: Any) -> dict[str, Any]:  # noqa: ANN401
    return pod(volumes=[{"name": "v", **source}])


REQUIRED, PREFERRED = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(pod(), [], id="a plain pod"),
        pytest.param(deployment(), [], id="a deployment"),
        pytest.param(volume(emptyDir={}), [], id="an emptyDir"),
        pytest.param(volume(projected={"sources": [{"secret": {"name": "s"}}]}), [], id="a projected secret"),
        pytest.param(pod(securityContext={"seccompProfile": {"type": "RuntimeDefault"}}), [], id="the default profile"),
        pytest.param(pod({"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}), [], id="cpu and memory"),
        pytest.param(pod(initContainers=[{"name": "i", "image": "x", "restartPolicy": "Always"}]), [], id="a sidecar"),
        pytest.param(affinity("podAntiAffinity", REQUIRED), [], id="required"),
        pytest.param(affinity("podAffinity", PREFERRED), [], id="preferred"),
        pytest.param(spread("DoNotSchedule"), [], id="a spread that must hold"),
        pytest.param(spread("ScheduleAnyway"), [], id="a spread that should hold"),
        pytest.param(volume(persistentVolumeClaim={"claimName": "c"}), [], id="a claim"),
        pytest.param(
            volume(iscsi={"targetPortal": "10.0.0.9", "iqn": "iqn.2026-01.example:disk", "lun": 0}),
            [("error", "spec.volumes[0].iscsi")],
            id="a disk of a storage system",
        ),
        pytest.param(
            volume(emptyDir={"sizeLimit": "1Gi"}),
            [],
            id="a size on disk",
        ),
        pytest.param(volume(emptyDir={"sizeLimit": "1Gi", "medium": "Memory"}), [], id="a size in memory"),
        pytest.param(
            volume(projected={"sources": [{"podCertificate": {"keyType": "ED25519", "signerName": "example.com/s"}}]}),
            [("error", "spec.volumes[0].projected.sources[0].podCertificate")],
            id="a certificate",
        ),
        pytest.param(
            pod({"resources": {"limits": {"example.com/gpu": 1}}}),
            [],
            id="an extended resource",
        ),
        pytest.param(
            pod({"restartPolicy": "Never"}),
            [],
            id="a container's own policy",
        ),
        pytest.param(
            pod({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "p"}}}),
            [],
            id="a profile on the node",
        ),
        pytest.param(pod(hostUsers=False), [], id="user namespaces"),
        pytest.param(pod(os={"name": "windows"}), [("error", "spec.os")], id="another system"),
        pytest.param(
            pod(serviceAccountName="robot", automountServiceAccountToken=True),
            [],
            id="a service account",
        ),
        pytest.param(pod(serviceAccountName="default"), [], id="the default service account"),
        pytest.param(pod(os={"name": "linux"}), [], id="linux"),
        pytest.param(document("v1", "Service", spec={"ports": [{"port": 80}]}), [], id="a service"),
        pytest.param(
            document("v1", "Service", spec={"type": "LoadBalancer", "ports": [{"port": 80}]}),
            [],
            id="a balancer",
        ),
    ],
)
def test_what_is_not_implemented_is_said_by_name(written: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert faults(written) == expected


def test_fields_of_a_template_are_found_too() -> None:
    written = deployment()
    written["spec"]["template"]["spec"]["resourceClaims"] = [{"name": "camera", "resourceClaimName": "front"}]
    (fault,) = unsupported(decoded(written))
    assert fault.field == "spec.template.spec.resourceClaims"
    assert fault.severity == "error"
    assert "devices" in fault.message
