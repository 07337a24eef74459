"""What the agent tells of itself, as people read it."""

from datetime import UTC, datetime, timedelta

import pytest

from nodeagent.local.tables import duration, pod_status, pods_table, size, status_text
from nodeagent.local.views import AcceptedView, ContainerView, LinkView, NodeView, PodView

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def container(**fields: object) -> ContainerView:
    known = {"name": "main", "image": "x", "ready": True, "restarts": 0, "state": "running"}
    return ContainerView(**{**known, **fields})  # type: ignore[arg-type]


def pod(*containers: ContainerView, **fields: object) -> PodView:
    known = {"namespace": "default", "name": "web", "uid": "u", "phase": "Running", "started": NOW}
    return PodView(**{**known, "containers": containers, **fields})  # type: ignore[arg-type]


def test_pods_are_shown_as_kubectl_shows_them() -> None:
    one = pod(container(), container(name="proxy", ready=False, restarts=3), ip="10.1.2.3", started=NOW - timedelta(1))
    other = pod(namespace="a", name="job", phase="Succeeded", started=NOW - timedelta(minutes=5))
    assert pods_table([one, other], NOW) == (
        "NAMESPACE   NAME   READY   STATUS      RESTARTS   AGE   IP\n"
        "a           job    0/0     Succeeded   0          5m    <none>\n"
        "default     web    1/2     Running     3          24h   10.1.2.3\n"
    )
    assert pods_table([], NOW) == "No pods on this node.\n"


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        pytest.param(pod(container()), "Running", id="well"),
        pytest.param(pod(container(), ending=True), "Terminating", id="ending"),
        pytest.param(pod(phase="Failed", reason="Evicted"), "Evicted", id="evicted"),
        pytest.param(pod(container(state="waiting", reason="CrashLoopBackOff")), "CrashLoopBackOff", id="crashing"),
        pytest.param(
            pod(container(state="terminated", reason="Error", exit_code=1), phase="Failed"), "Error", id="failed"
        ),
        pytest.param(
            pod(container(init=True, ready=False), container(state="waiting", ready=False), phase="Pending"),
            "Init:0/1",
            id="initialising",
        ),
        pytest.param(
            pod(container(init=True, ready=False, state="waiting", reason="ImagePullBackOff"), phase="Pending"),
            "Init:ImagePullBackOff",
            id="an init container without an image",
        ),
    ],
)
def test_the_word_that_says_most_is_the_status(one: PodView, shown: str) -> None:
    assert pod_status(one) == shown


def node(**fields: object) -> NodeView:
    known = {
        "node": "pi-1",
        "cluster": "default",
        "version": "0.1",
        "pid": 7,
        "since": NOW - timedelta(hours=2),
        "runtime": "containerd://1.6.20",
        "link": LinkView(url="mqtt://b:1883", connected=True, since=NOW - timedelta(minutes=3)),
        "accepted": AcceptedView(store="s", revision=42, complete=True, pods=2),
        "pods": {"Running": 2},
        "conditions": {"Ready": "True"},
        "resident": 40 * 1024**2,
        "written": {"agent": 4096, "logs": 0},
    }
    return NodeView(**{**known, **fields})  # type: ignore[arg-type]


def test_a_node_says_one_fact_a_line() -> None:
    assert status_text(node(), NOW) == (
        "Node:      pi-1 of cluster default\n"
        "Agent:     wherry 0.1, pid 7, for 120m, 40.0 MiB of memory\n"
        "Runtime:   containerd://1.6.20\n"
        "Link:      connected for 3m (mqtt://b:1883)\n"
        "Accepted:  revision 42\n"
        "Pods:      2 Running\n"
        "  Ready:   True\n"
        "Written:   agent 4.0 KiB, logs 0 B\n"
    )


def test_what_is_wrong_is_said() -> None:
    text = status_text(
        node(
            runtime="",
            link=LinkView(url="mqtt://b:1883", connected=False, since=NOW - timedelta(seconds=5)),
            accepted=AcceptedView(store="s", revision=42, complete=False, pods=2),
        ),
        NOW,
    )
    assert "Runtime:   does not answer: no pod can be started\n" in text
    assert "Link:      no link for 5s (mqtt://b:1883): pods run on with what was accepted\n" in text
    assert "Accepted:  revision 42 (parts of it are still to come)\n" in text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (119, "119s"), (125, "2m5s"), (600, "10m"), (10_800, "3h"), (12_000, "3h20m"), (200_000, "2d")],
)
def test_ages_are_short(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown


def test_sizes_have_a_unit() -> None:
    assert [size(one) for one in (0, 1023, 1536, 5 * 1024**2, 3 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 MiB",
        "3072.0 GiB",
    ]
