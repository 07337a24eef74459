"""Every pod has the token of its ServiceAccount: the files are there, the API takes it, and it ends with its pod."""

import json

from tests.lab.fleet import Fleet
from tests.lab.manifests import pod
from tests.waiting import eventually

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
WAIT = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.2; done"]


def _read(fleet: Fleet, name: str, file: str) -> str:
    return fleet.kubectl("exec", name, "--", "cat", f"{FOLDER}/{file}")


def _who(fleet: Fleet, token: str) -> dict[str, object]:
    """What the API says of who shows this token."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    answer = fleet.try_kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(review))
    status: dict[str, object] = json.loads(answer.stdout)["status"]
    return status


def _runs(fleet: Fleet, name: str) -> bool:
    return any(one["metadata"]["name"] == name for one in fleet.ready_pods())


def test_a_pod_can_show_who_it_is_for_as_long_as_it_is_there(fleet: Fleet) -> None:
    fleet.write("token.yaml", pod("bearer", WAIT))
    eventually(lambda: _runs(fleet, "bearer"), 60, "the pod runs")
    assert _read(fleet, "bearer", "namespace") == "default"
    assert "BEGIN CERTIFICATE" in _read(fleet, "bearer", "ca.crt")
    token = _read(fleet, "bearer", "token")
    status = _who(fleet, token)
    assert status["authenticated"]
    user = status["user"]
    assert isinstance(user, dict)
    assert user["username"] == "system:serviceaccount:default:default"
    assert user["extra"]["authentication.kubernetes.io/pod-name"] == ["bearer"]
    fleet.kill("reconciler")
    fleet.start_reconciler()
    eventually(lambda: fleet.try_kubectl("get", "nodes").returncode == 0, 20, "the API answers again")
    eventually(lambda: len(fleet.ready_nodes()) == len(fleet.nodes), 30, "the nodes are there again")
    assert _read(fleet, "bearer", "token") == token, "a restart makes no new tokens"
    fleet.kubectl("delete", "pod", "bearer")
    eventually(lambda: not _who(fleet, token).get("authenticated"), 20, "the token has gone with its pod")


def test_a_token_of_ones_own_is_projected_as_asked(fleet: Fleet) -> None:
    asked = {"serviceAccountToken": {"path": "vault", "audience": "vault", "expirationSeconds": 600}}
    own = pod("keeper", WAIT, volumeMounts=[{"name": "own", "mountPath": "/own"}])
    own["spec"] |= {
        "automountServiceAccountToken": False,
        "volumes": [{"name": "own", "projected": {"sources": [asked]}}],
    }
    fleet.write("keeper.yaml", own)
    eventually(lambda: _runs(fleet, "keeper"), 60, "the pod runs")
    assert fleet.try_kubectl("exec", "keeper", "--", "ls", FOLDER).returncode != 0
    token = fleet.kubectl("exec", "keeper", "--", "cat", "/own/vault")
    assert token.count(".") == 2
    assert not _who(fleet, token).get("authenticated"), "it is for another audience than the API"
