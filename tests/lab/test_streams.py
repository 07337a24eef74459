"""Logs, shells and forwarded ports, by the real kubectl, on a real containerd behind a real broker."""

import pytest

from tests.lab.fleet import Fleet
from tests.waiting import eventually

SERVER = """
i=0; while true; do i=$((i+1)); echo tick $i; echo oops $i >&2; sleep 0.2; done &
while true; do printf 'HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nahoy!\\n' | nc -l -p 8080 >/dev/null; done
"""


def pod(name: str, script: str, **more: object) -> dict[str, object]:
    container = {"name": "main", "image": "wherry.local/busybox:1", "command": ["sh", "-c", script], **more}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, "nodeName": "a"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


@pytest.fixture(scope="module")
def talk(fleet: Fleet) -> Fleet:
    fleet.write("talk.yaml", pod("talk", SERVER))
    eventually(lambda: [one["metadata"]["name"] for one in fleet.ready_pods()] == ["talk"], 30, "the pod is Ready")
    return fleet


def test_a_command_runs_with_its_output_and_exit_code(talk: Fleet) -> None:
    said = talk.try_kubectl("exec", "talk", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (said.returncode, said.stdout, said.stderr) == (7, "out\n", "err\ncommand terminated with exit code 7\n")


def test_what_is_piped_in_ends(talk: Fleet) -> None:
    said = talk.try_kubectl("exec", "-i", "talk", "--", "wc", "-c", stdin="hello\n")
    assert (said.returncode, said.stdout, said.stderr) == (0, "6\n", "")
