"""What `wherry status` says, line by line."""

from typing import Any

import pytest

from reconciler.statustext import SHOWN, say_status

MANIFESTS: dict[str, Any] = {
    "commit": "",
    "files": 2,
    "objects": 3,
    "faults": [],
    "held_back": [],
    "holding": "",
    "watch_limit": "",
    "last_pass": "2026-01-02T03:04:05.678901Z",
}
CLUSTER: dict[str, Any] = {
    "pods": 2,
    "ready_pods": 1,
    "nodes": [{"name": "a", "ready": True, "reason": "", "since": None}],
    "waiting": [],
}
CONVERGENCE: dict[str, Any] = {"objects": 3, "synced": 3, "healthy": 3, "pending": [], "pendingCount": 0}
PENDING: dict[str, Any] = {
    "kind": "Deployment",
    "namespace": "default",
    "name": "web",
    "synced": "Yes",
    "reason": "",
    "health": "Progressing",
    "healthReason": "1 of 2 pods ready",
}
SOURCE: dict[str, Any] = {
    "url": "https://example.com/fleet.git",
    "ref": "refs/heads/main",
    "path": "",
    "commit": "0123456789abcdef",
    "fetched": "2026-01-02T03:04:05Z",
    "signature": "",
    "error": "",
}
FAULT = {
    "file": "web.yaml",
    "line": 3,
    "object": "Pod/web",
    "field": "spec",
    "message": "is wrong",
    "severity": "error",
}


def said(
    manifests: dict[str, Any] | None = None,
    cluster: dict[str, Any] | None = None,
    convergence: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
) -> list[str]:
    status = {
        "folder": "/m",
        "source": source,
        "manifests": MANIFESTS | (manifests or {}),
        "convergence": CONVERGENCE | (convergence or {}),
        "cluster": CLUSTER | (cluster or {}),
    }
    return say_status(status, "/data").splitlines()


def test_all_is_well() -> None:
    assert said({"commit": "abc"}) == [
        "Folder    /m",
        "Commit    abc",
        "Read      2 files, 3 objects, last at 2026-01-02 03:04:05 UTC",
        "Objects   3, 3 synced, 3 healthy",
        "Nodes     1 of 1 Ready",
        "Pods      1 of 2 Ready",
        "Waiting   none",
        "Warnings  none",
        "Faults    none",
        "Held back none",
    ]


@pytest.mark.parametrize(
    ("manifests", "lines"),
    [
        pytest.param({"last_pass": None}, ["Read      not yet"], id="before the first pass"),
        pytest.param(
            {"faults": [FAULT]},
            [
                "Faults    1",
                "  web.yaml:3: Pod/web: spec: is wrong",
                "  What these files declared before stays as it was. Mend and save them.",
            ],
            id="fault",
        ),
        pytest.param(
            {"faults": [FAULT | {"severity": "warning", "object": "", "field": ""}]},
            ["Warnings  1", "  web.yaml:3: is wrong", "Faults    none"],
            id="warning",
        ),
        pytest.param(
            {"held_back": [{"ref": ["Pod", "default", "web"], "reason": "too many", "approvable": True}]},
            ["Held back 1 deletions", "  Pod default/web: too many", "  If they shall go: wherry approve --data /data"],
            id="held back",
        ),
        pytest.param(
            {"holding": "it is gone"}, ["Held      the folder is not taken in just now: it is gone"], id="folder held"
        ),
        pytest.param({"watch_limit": "too many"}, ["Watch     changes are found late: too many"], id="watch limit"),
    ],
)
def test_what_is_wrong_with_the_folder_is_said(manifests: dict[str, Any], lines: list[str]) -> None:
    assert [line for line in said(manifests) if line in lines] == lines


def test_what_cannot_be_approved_has_no_hint() -> None:
    held = {"ref": ["Namespace", "", "n"], "reason": "its annotation", "approvable": False}
    assert said({"held_back": [held]})[-2:] == ["Held back 1 deletions", "  Namespace n: its annotation"]


def test_nodes_that_need_a_hand_are_named() -> None:
    away = {"name": "b", "ready": False, "reason": "NodeStatusUnknown: gone", "since": "2026-01-02T03:04:05Z"}
    cordoned = {"name": "c", "ready": True, "reason": "cordoned", "since": None}
    lines = said(cluster={"nodes": [*CLUSTER["nodes"], away, cordoned]})
    start = lines.index("Nodes     2 of 3 Ready")
    assert lines[start + 1 : start + 3] == [
        "  b: not Ready, NodeStatusUnknown: gone, since 2026-01-02 03:04:05 UTC",
        "  c: cordoned",
    ]
    assert "Nodes     none has reported yet" in said(cluster={"nodes": []})


def test_a_long_list_is_cut_and_says_so() -> None:
    waiting = [{"object": f"Pod default/p{number}", "reason": "not ready"} for number in range(SHOWN + 5)]
    lines = said(cluster={"waiting": waiting})
    assert f"  Pod default/p{SHOWN - 1}: not ready" in lines
    assert f"  Pod default/p{SHOWN}: not ready" not in lines
    assert "  and 5 more; see --output json" in lines


@pytest.mark.parametrize(
    ("pending", "line"),
    [
        pytest.param({}, "  Deployment default/web: 1 of 2 pods ready", id="on its way"),
        pytest.param(
            {"health": "Degraded", "healthReason": "ProgressDeadlineExceeded"},
            "  Deployment default/web: Degraded, ProgressDeadlineExceeded",
            id="unwell",
        ),
        pytest.param({"healthReason": ""}, "  Deployment default/web: Progressing", id="without a word"),
        pytest.param(
            {"synced": "Waiting", "reason": "waits for Job default/one (0 of 1 pods succeeded)"},
            "  Deployment default/web: waits for Job default/one (0 of 1 pods succeeded)",
            id="waiting",
        ),
    ],
)
def test_what_has_not_converged_says_why(pending: dict[str, Any], line: str) -> None:
    lines = said(convergence={"pending": [PENDING | pending], "pendingCount": 1})
    assert lines[lines.index("Waiting   1") + 1] == line


def test_what_has_a_fault_or_is_held_back_is_told_once() -> None:
    pending = [PENDING | {"synced": synced} for synced in ("Fault", "Held")]
    assert "Waiting   none" in said(convergence={"pending": pending, "pendingCount": 1})


def test_an_object_that_is_told_as_pending_is_not_told_again() -> None:
    waiting = [
        {"object": "Deployment default/web", "reason": "1 of 2 pods ready"},
        {"object": "Pod a/b", "reason": "x"},
    ]
    lines = said(cluster={"waiting": waiting}, convergence={"pending": [PENDING], "pendingCount": 1})
    start = lines.index("Waiting   2")
    assert lines[start + 1 : start + 3] == ["  Deployment default/web: 1 of 2 pods ready", "  Pod a/b: x"]


def test_more_than_the_server_lists_is_counted() -> None:
    lines = said(convergence={"pending": [PENDING], "pendingCount": 500})
    assert "Waiting   500" in lines
    assert "  and 499 more; see --output json" in lines


def test_a_repository_says_what_was_fetched_and_why_no_more() -> None:
    error = "the remote does not answer"
    assert said(source=SOURCE | {"error": error, "path": "live", "signature": "good: A"})[:3] == [
        "Source    https://example.com/fleet.git refs/heads/main, path live",
        "Fetched   0123456789ab at 2026-01-02 03:04:05 UTC, signature good: A",
        f"Git       no later commit is taken: {error}",
    ]
    assert said(source=SOURCE | {"fetched": None})[1] == "Folder    /m"
