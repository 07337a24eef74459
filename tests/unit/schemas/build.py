"""Objects to test with, as documents."""

from typing import Any

from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_GROUP_VERSION_KIND
from schemas.meta import Object
from schemas.shape import Json


def document(api_version: str, kind: str, **fields: Json) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **fields}


def pod(container: dict[str, Any] | None = None, **spec: Json) -> dict[str, Any]:
    return document("v1", "Pod", spec={"containers": [{"name": "c", "image": "nginx", **(container or {})}], **spec})


def deployment(**spec: Json) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod()["spec"]}
    return document(
        "apps/v1", "Deployment", spec={"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec}
    )


def running(kind: str, **spec: Json) -> dict[str, Any]:
    """A StatefulSet or DaemonSet."""
    return {**deployment(**spec), "kind": kind}


def job(**spec: Json) -> dict[str, Any]:
    return document("batch/v1", "Job", spec={"template": {"spec": pod(restartPolicy="Never")["spec"]}, **spec})


def cron_job(schedule: str = "@daily", **spec: Json) -> dict[str, Any]:
    template = {"spec": job()["spec"]}
    return document("batch/v1", "CronJob", spec={"schedule": schedule, "jobTemplate": template, **spec})


def autoscaler(**spec: Json) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
    return document(
        "autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target, "maxReplicas": 3, **spec}
    )


def decoded(written: dict[str, Any]) -> Object:
    """The object that the document means, with its defaults."""
    result = decode(BY_GROUP_VERSION_KIND[written["apiVersion"], written["kind"]], written)
    assert result.object is not None, result.faults
    return defaulted(result.object)
