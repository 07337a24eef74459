"""Controllers over real containers: roll back, run by the clock, follow the load, and give way within a budget."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab.fleet import Fleet
from tests.lab.manifests import deployment
from tests.waiting import eventually

WORK = "while :; do if [ -e /tmp/busy ]; then i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; else sleep 0.2; fi; done"
"""Idle, until somebody asks for work."""


@pytest.fixture(scope="module", autouse=True)
def ticking(fleet: Fleet) -> None:
    """A CronJob whose minute comes while the other tests run."""
    container = {"name": "main", "image": "wherry.local/busybox:1", "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"schedule": "* * * * *", "timeZone": "Asia/Kolkata", "jobTemplate": {"spec": {"template": template}}}
    fleet.write("tick.yaml", {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": spec})


def ready(fleet: Fleet, app: str) -> int:
    return len(fleet.ready_pods(f"app={app}"))


def conditions(fleet: Fleet, kind: str, name: str) -> dict[str, tuple[str, str]]:
    told = fleet.get(kind, name)["status"].get("conditions", [])
    return {one["type"]: (one["status"], one["reason"]) for one in told}


def test_a_rollout_that_fails_its_probe_gives_way_to_the_revision_before(fleet: Fleet) -> None:
    def web(version: str, port: int) -> dict[str, Any]:
        probe = {"tcpSocket": {"port": port}, "periodSeconds": 1}
        found = deployment("web", env={"VERSION": version}, readinessProbe=probe)
        found["metadata"]["annotations"] = {"wherry.dev/rollback": "auto"}
        found["spec"]["progressDeadlineSeconds"] = 4
        return found

    def versions() -> set[str]:
        return {pod["spec"]["containers"][0]["env"][0]["value"] for pod in fleet.pods("app=web")}

    fleet.write("web.yaml", web("good", 8080))
    eventually(lambda: ready(fleet, "web") == 2, 40, "the first revision runs")
    eventually(lambda: conditions(fleet, "deployment", "web")["Progressing"][1] == "NewReplicaSetAvailable", 10)
    fleet.write("web.yaml", web("bad", 9999))
    eventually(lambda: "bad" in versions(), 20, "the second revision is tried")
    eventually(lambda: versions() == {"good"}, 30, "the first revision runs again")
    assert ready(fleet, "web") == 2, "pods of the good revision were not touched"
    assert conditions(fleet, "deployment", "web")["RolledBack"] == ("True", "ProgressDeadlineExceeded")
    assert "RolledBack" in fleet.kubectl("get", "events")
    fleet.write("web.yaml", web("better", 8080))
    eventually(lambda: versions() == {"better"} and ready(fleet, "web") == 2, 40, "another template is tried again")


def test_replicas_follow_the_load_up_and_down(fleet: Fleet) -> None:
    amounts = {"requests": {"cpu": "50m"}, "limits": {"cpu": "250m"}}
    busy = deployment("busy", replicas=None, command=["sh", "-c", WORK], resources=amounts, readinessProbe=None)
    at_once = {"stabilizationWindowSeconds": 0}
    utilization = {"type": "Utilization", "averageUtilization": 60}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "busy"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
            "maxReplicas": 2,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
            "behavior": {"scaleUp": at_once, "scaleDown": at_once},
        },
    }
    fleet.write("busy.yaml", busy, autoscaler)
    eventually(lambda: ready(fleet, "busy") == 1, 40, "one pod runs")
    (pod,) = fleet.ready_pods("app=busy")
    fleet.kubectl("exec", pod["metadata"]["name"], "--", "touch", "/tmp/busy")
    eventually(lambda: ready(fleet, "busy") == 2, 60, "the load has called for a second pod")
    assert conditions(fleet, "hpa", "busy")["ScalingActive"] == ("True", "ValidMetricFound")
    fleet.kubectl("exec", pod["metadata"]["name"], "--", "rm", "/tmp/busy")
    eventually(lambda: len(fleet.pods("app=busy")) == 1, 60, "and its end for one alone")
    fleet.delete("busy.yaml")


def test_a_cron_job_runs_when_its_minute_comes(fleet: Fleet) -> None:
    def status() -> dict[str, Any]:
        found: dict[str, Any] = fleet.get("cronjob", "tick")["status"]
        return found

    eventually(lambda: "lastSuccessfulTime" in status(), 75, "a Job of the CronJob has succeeded")
    assert status()["lastScheduleTime"].endswith(":00Z")
    jobs = [one for one in fleet.get("jobs")["items"] if one["metadata"]["name"].startswith("tick-")]
    scheduled = jobs[0]["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert scheduled.endswith(":00+05:30")


def test_a_node_is_drained_within_the_budget(fleet: Fleet) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "held"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "held"}}},
    }
    fleet.write("held.yaml", deployment("held", replicas=4), budget)
    eventually(lambda: ready(fleet, "held") == 4, 40, "all run")
    assert {pod["spec"]["nodeName"] for pod in fleet.pods("app=held")} == {"a", "b"}
    fewest = 4
    with ThreadPoolExecutor(1) as others:
        drain = others.submit(fleet.try_kubectl, "drain", "b", "--ignore-daemonsets", "--force", "--timeout", "80s")
        while not drain.done():
            fewest = min(fewest, ready(fleet, "held"))
    done = drain.result()
    assert done.returncode == 0, done.stderr
    assert fewest == 3, "one at a time"
    assert not [pod for pod in fleet.pods("app=held") if pod["spec"].get("nodeName") == "b"]
    eventually(lambda: ready(fleet, "held") == 4, 40, "all run elsewhere")
    fleet.kubectl("uncordon", "b")
