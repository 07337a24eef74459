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
FAULT = {
    "file": "web.yaml",
    "line": 3,
    "object": "Pod/web",
    "field": "spec",
    "message": "is wrong",
    "severity": "error",
}


def said(manifests: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> list[str]:
    status = {"folder": "/m", "manifests": MANIFESTS | (manifests or {}), "cluster": CLUSTER | (cluster or {})}
    return say_status(status, "/data").splitlines()


def test_all_is_well() -> None:
    assert said({"commit": "abc"}) == [
        "Folder    /m",
        "Commit    abc",
        "Read      2 files, 3 objects, last at 2026-01-02 03:04:05 UTC",
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
