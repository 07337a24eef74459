"""Jobs on real containers: what fails is tried again, what is told to run at a time runs by hand as well."""

from typing import Any

from tests.lab.fleet import Fleet
from tests.waiting import eventually

FAILS_FIRST = "mkdir /shared/tried 2>/dev/null && exit 3; echo index=$JOB_COMPLETION_INDEX"
"""Fails where nobody has tried before: the folder is on the node, and outlives the pod."""


def _template(command: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 (any field)
    container = {"name": "main", "image": "wherry.local/busybox:1", "command": ["sh", "-c", command]}
    return {"spec": {"restartPolicy": "Never", "containers": [container], **spec}}


def _manifest(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _condition(fleet: Fleet, name: str) -> str:
    conditions = fleet.get("job", name)["status"].get("conditions", [])
    return next((one["type"] for one in conditions if one["type"] in ("Complete", "Failed")), "")


def _phases(fleet: Fleet, job: str) -> list[str]:
    return sorted(pod["status"].get("phase", "") for pod in fleet.pods(f"job-name={job}"))


def test_a_job_tries_again_after_a_failure_and_ends(fleet: Fleet) -> None:
    folder = {"name": "shared", "hostPath": {"path": str(fleet.directory / "retried"), "type": "DirectoryOrCreate"}}
    template = _template(FAILS_FIRST, nodeName="a", volumes=[folder])
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "shared", "mountPath": "/shared"}]
    spec = {"completions": 1, "completionMode": "Indexed", "backoffLimit": 2, "template": template}
    fleet.write("retried.yaml", _manifest("Job", "retried", spec))
    eventually(lambda: _condition(fleet, "retried") == "Complete", 60, "the Job is complete")
    status = fleet.get("job", "retried")["status"]
    assert (status["succeeded"], status["failed"], status["completedIndexes"]) == (1, 1, "0")
    assert _phases(fleet, "retried") == ["Failed", "Succeeded"]
    ended = next(pod for pod in fleet.pods("job-name=retried") if pod["status"]["phase"] == "Succeeded")
    assert fleet.kubectl("logs", ended["metadata"]["name"]).strip() == "index=0"


def test_a_job_that_never_succeeds_fails_at_its_limit(fleet: Fleet) -> None:
    spec = {"backoffLimit": 0, "template": _template("exit 42")}
    fleet.write("hopeless.yaml", _manifest("Job", "hopeless", spec))
    eventually(lambda: _condition(fleet, "hopeless") == "Failed", 30, "the Job has failed")
    assert fleet.get("job", "hopeless")["status"]["failed"] == 1


def test_a_cron_job_is_run_by_hand(fleet: Fleet) -> None:
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _template("true")}}}
    fleet.write("tick.yaml", _manifest("CronJob", "tick", spec))
    eventually(lambda: fleet.try_kubectl("get", "cronjob", "tick").returncode == 0, 20, "the CronJob is there")
    fleet.kubectl("create", "job", "by-hand", "--from=cronjob/tick")
    eventually(lambda: _condition(fleet, "by-hand") == "Complete", 30, "the Job is complete")
    assert _phases(fleet, "by-hand") == ["Succeeded"]
    eventually(lambda: "lastSuccessfulTime" in fleet.get("cronjob", "tick")["status"], 10, "the CronJob knows of it")
