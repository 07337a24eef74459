"""Replays the recorded HTTP exchanges, in order, with what was done between them."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.oracles.kubernetes.judging import Verdict
from tests.oracles.kubernetes.normalising import Normaliser
from tests.oracles.kubernetes.responses import difference
from tests.oracles.kubernetes.wherry import Answer, Wherry
from tests.waiting import eventually

HOME = "/api/v1/namespaces/http"
MAPS = f"{HOME}/configmaps"
LATE = f"{MAPS}/in-the-way"
PODS = f"{HOME}/pods"
FLOATING = f"{PODS}?fieldSelector=metadata.name%3Dfloating"
DEPLOYMENTS = "/apis/apps/v1/namespaces/http/deployments"
BUDGETS = "/apis/policy/v1/namespaces/http/poddisruptionbudgets"
MERGE = "application/merge-patch+json"
NOBODY = "00000000-0000-4000-8000-000000000000"
"""A uid that no object has."""
LONG_BODIES = {"configmap_over_1MiB": ("big2", 1_100_000), "body_over_3MiB": ("big3", 3_300_000)}
"""Recorded by their length: name and characters of `data.a`."""
_SETTLE_SECONDS = 5.0


class Exchanges:
    """What later requests need of earlier answers."""

    def __init__(self, wherry: Wherry) -> None:
        self.wherry = wherry
        self._one: dict[str, Any] = {}
        self._tokens: dict[str, str] = {}
        self._revision = ""
        self._before: Mapping[str, Callable[[], None]] = {
            "create": self._make_namespace,
            "put": self._read_one,
            "deploy_get": lambda: self._wait_for(f"{DEPLOYMENTS}/sub", lambda told: told.get("availableReplicas") == 2),
            "pod_get": lambda: self._play(f"{PODS}?labelSelector=app%3Ds"),
            "list_limit": self._make_pages,
            "list_continue_expired": self._change_pages,
            "delete_finalizer": self._make_held,
            "terminating_ns_delete": self._hold_namespace,
            "delete_protected_ns": lambda: self._done("PATCH", LATE, {"metadata": {"finalizers": None}}, MERGE),
            "eviction_blocked": self._make_budget,
            "eviction_dryRun": lambda: self._done("DELETE", f"{BUDGETS}/guard"),
            "binding": self._make_floating,
            "pod_ephemeral_get": lambda: self._play(FLOATING),
            "pod_delete_grace": lambda: self._play(FLOATING, "ephemeralContainerStatuses"),
        }

    def ask(self, case: Mapping[str, Any]) -> Answer:
        """Does what came before the case, and sends its request with live values in place of placeholders."""
        self._before.get(case["id"], lambda: None)()
        asked = case["request"]
        body = self._filled(case["id"], asked.get("body"))
        path = self._path(case["id"], asked["path"])
        answer = self.wherry.call(asked["method"], path, body, user=asked["user"], headers=asked["headers"])
        self._remember(case["id"], answer)
        return answer

    def _filled(self, id_: str, body: Any) -> Any:  # noqa: ANN401 - JSON
        if id_ in LONG_BODIES:
            name, length = LONG_BODIES[id_]
            return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "y" * length}}
        if id_ in ("put", "put_conflict"):
            return self._one | {"data": body["data"]}
        if not isinstance(body, dict):
            return body
        text = json.dumps(body).replace("<uid>", NOBODY).replace("<time>", "2020-01-01T00:00:00Z")
        return json.loads(text.replace("sub-<hash>-<suffix>", self._pod(text)))

    def _path(self, id_: str, path: str) -> str:
        path = path.replace("sub-<hash>-<suffix>", self._pod(path)).replace("<rv>", self._revision)
        if "<continue>" not in path:
            return path
        after = {"list_continue_last": "list_continue"}.get(id_, "list_limit")
        return path.replace("<continue>", _aged(id_, self._tokens.get(after, "")))

    def _pod(self, text: str) -> str:
        if "sub-<hash>-<suffix>" not in text:
            return ""
        found = self.wherry.call("GET", f"{PODS}?labelSelector=app%3Ds").json().get("items", [])
        names = [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return names[0] if names else "sub-none-none"

    def _remember(self, id_: str, answer: Answer) -> None:
        if id_ in ("list_limit", "list_continue") and answer.status == 200:
            metadata = answer.json()["metadata"]
            self._tokens[id_] = metadata.get("continue", "")
            self._revision = metadata["resourceVersion"]

    def _done(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> None:
        """Preparation that a Wherry may lack the means for: the cases that need it show that."""
        self.wherry.call(method, path, body, headers={"Content-Type": content_type})

    def _make_namespace(self) -> None:
        self._done("POST", "/api/v1/namespaces", {"metadata": {"name": "http"}})

    def _read_one(self) -> None:
        self._one = self.wherry.call("GET", f"{MAPS}/one").json()

    def _make_pages(self) -> None:
        for number in range(5):
            self._done("POST", MAPS, {"metadata": {"name": f"page-{number}", "labels": {"page": "y"}}})

    def _change_pages(self) -> None:
        for number in range(3):
            self._done("PATCH", f"{MAPS}/page-{number}", {"data": {"i": str(number)}}, MERGE)

    def _make_held(self) -> None:
        self._done("POST", MAPS, {"metadata": {"name": "held", "finalizers": ["example.com/x"]}})

    def _hold_namespace(self) -> None:
        """Kubernetes lets five seconds pass before it looks whether a namespace is empty; here something is in it."""
        self._done("POST", MAPS, {"metadata": {"name": LATE.rpartition("/")[2], "finalizers": ["example.com/x"]}})

    def _make_budget(self) -> None:
        self._settle(f"{PODS}?labelSelector=app%3Ds")
        spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "s"}}}
        self._done("POST", BUDGETS, {"metadata": {"name": "guard"}, "spec": spec})
        self._wait_for(f"{BUDGETS}/guard", lambda status: status.get("currentHealthy") == 2)

    def _make_floating(self) -> None:
        spec = {"schedulerName": "nobody", "containers": [{"name": "c", "image": "nginx:1.25"}]}
        self._done("POST", PODS, {"metadata": {"name": "floating"}, "spec": spec})

    def _wait_for(self, path: str, condition: Callable[[Mapping[str, Any]], bool]) -> None:
        _wait(lambda: condition(self.wherry.call("GET", path).json().get("status", {})))

    def _play(self, path: str, also: str = "") -> None:
        """Tells the status of pods as the recorded nodes 2 and 3 did it: a client of the API in a kubelet's place.

        `also` is what the agent has still to say, so that it does not say it later.
        """
        self._settle(path)
        if also:
            _wait(lambda: all(also in pod["status"] for pod in self.wherry.call("GET", path).json().get("items", [])))
        for pod in self.wherry.call("GET", path).json().get("items", []):
            for status in played(pod["status"]):
                url = f"{PODS}/{pod['metadata']['name']}/status"
                self._done("PUT", url, pod | {"status": status, "metadata": {"name": pod["metadata"]["name"]}})

    def _settle(self, path: str) -> None:
        def settled() -> bool:
            pods = self.wherry.call("GET", path).json().get("items", [])
            return bool(pods) and all(pod.get("status", {}).get("phase") == "Running" for pod in pods)

        _wait(settled)


def replay(wherry: Wherry, normaliser: Normaliser, file: Path) -> list[Verdict]:
    exchanges, found = Exchanges(wherry), []
    for case in map(json.loads, file.read_text().splitlines()):
        try:
            said = difference(case["response"], exchanges.ask(case), normaliser, varies=case.get("varies", False))
        except (OSError, ValueError) as error:
            said = f"no answer: {error!r}"
        found.append(Verdict("http", case["id"], said))
    return found


def played(told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What such a client began with, and what it told of a pod that runs, by what the agent tells of it."""
    times = {condition["type"]: condition["lastTransitionTime"] for condition in told["conditions"]}
    conditions = [
        {"type": type_, "status": "True", "lastProbeTime": None, "lastTransitionTime": times[type_]}
        for type_ in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    fields = ("name", "state", "lastState", "ready", "restartCount", "containerID", "started")
    [container] = told["containerStatuses"]
    begun = {"phase": "Pending", "conditions": conditions[-1:], "qosClass": told["qosClass"]}
    return begun, {
        "phase": "Running",
        "conditions": conditions,
        **{name: told[name] for name in ("hostIP", "podIP", "podIPs", "startTime", "qosClass")},
        "containerStatuses": [{name: container[name] for name in fields} | {"image": "nginx:1.25", "imageID": ""}],
    }


def _wait(condition: Callable[[], bool]) -> None:
    """For what the next request depends on; where it does not come, its case shows that."""
    try:
        eventually(condition, _SETTLE_SECONDS)
    except AssertionError:
        return


def _aged(id_: str, token: str) -> str:
    """A continue token that points into the distant past or future."""
    revision = {"list_continue_410": 2, "list_continue_future": 99999999}.get(id_)
    if revision is None or not token:
        return token
    content = json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return urlsafe_b64encode(json.dumps(content | {"revision": revision}).encode()).decode().rstrip("=")
