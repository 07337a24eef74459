"""Logs, shells and forwarded ports, by the real kubectl, on a real containerd behind a real broker."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.lab.fleet import KUBECTL, Fleet
from tests.lab.network import HUB
from tests.waiting import PATIENCE, eventually

ANSWER = r"printf 'HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nahoy!\n'"
TALK = f"""
echo started; echo oops >&2
while true; do {ANSWER} | nc -l -p 8080 >/dev/null; done &
while read -r line; do echo "heard $line"; done; sleep 3600
"""
OTHER_TERMINALS = "for terminal in /dev/pts/[0-9]*; do stty size < $terminal; done 2>/dev/null; true"
MANY = """
lines() { awk -v n=$1 -v end=$2 \
  'BEGIN { while (n <= end) printf "line %010d of a log that is turned over while somebody reads it\\n", n++ }'; }
lines 1 100000; sleep 13; lines 100001 100500
"""


def pod(name: str, script: str, node: str = "a", **more: object) -> dict[str, object]:
    container = {"name": "main", "image": "wherry.local/busybox:1", "command": ["sh", "-c", script], **more}
    spec = {
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
        "nodeName": node,
        "restartPolicy": "Never" if name == "many" else "Always",
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


@pytest.fixture(scope="module")
def talk(fleet: Fleet) -> Fleet:
    """`talk` listens on its input and on a port, `crash` ends again and again, `many` says much and then ends."""
    fleet.write("talk.yaml", pod("talk", TALK, stdin=True))
    fleet.write("crash.yaml", pod("crash", "echo dying; exit 3"))
    fleet.write("away.yaml", pod("away", "while true; do date +%s; sleep 0.1; done", "b"))
    fleet.write("many.yaml", pod("many", MANY))
    eventually(
        lambda: {one["metadata"]["name"] for one in fleet.ready_pods()} >= {"talk", "away"}, 30, "pods are Ready"
    )
    return fleet


@contextmanager
def kubectl(
    fleet: Fleet,
    *arguments: str,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
) -> Iterator["subprocess.Popen[bytes]"]:
    """One that is running, and is ended with the block."""
    process = subprocess.Popen(
        [
            *fleet.network.inside(HUB),
            str(KUBECTL),
            "--kubeconfig",
            str(fleet.directory / "hub" / "kubeconfig"),
            *arguments,
        ],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | {"HOME": str(fleet.directory), "TERM": "xterm"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def rest(process: "subprocess.Popen[bytes]", limit: float = 20) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=limit * PATIENCE)
    return process.returncode, out.decode(), err.decode()


def test_a_command_runs_with_its_output_and_exit_code(talk: Fleet) -> None:
    said = talk.try_kubectl("exec", "talk", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (said.returncode, said.stdout, said.stderr) == (7, "out\n", "err\ncommand terminated with exit code 7\n")


def test_what_is_piped_in_ends(talk: Fleet) -> None:
    said = talk.try_kubectl("exec", "-i", "talk", "--", "wc", "-c", stdin="hello\n")
    assert (said.returncode, said.stdout, said.stderr) == (0, "6\n", "")


def test_what_cannot_be_run_is_told_in_the_words_of_the_runtime(talk: Fleet) -> None:
    said = talk.try_kubectl("exec", "talk", "--", "nosuchcommand")
    assert said.returncode == 1
    assert said.stderr.startswith(
        "error: Internal error occurred: Internal error occurred: error executing command in container: "
    )
    assert 'exec: "nosuchcommand": executable file not found in $PATH: unknown' in said.stderr


def test_a_container_that_does_not_run_has_no_shell_and_its_log_stays(talk: Fleet) -> None:
    eventually(lambda: "CrashLoopBackOff" in talk.kubectl("get", "pod", "crash"), 30, "crash has crashed twice")
    said = talk.try_kubectl("exec", "crash", "--", "true")
    assert (said.returncode, said.stderr) == (1, 'error: unable to upgrade connection: container not found ("main")\n')
    said = talk.try_kubectl("attach", "crash")
    assert said.stderr.endswith("error: unable to upgrade connection: container main not found in pod crash_default\n")
    assert talk.kubectl("logs", "crash") == "dying\n"
    assert talk.kubectl("logs", "crash", "--previous") == "dying\n"
    said = talk.try_kubectl("logs", "talk", "--previous")
    wanted = 'Error from server (BadRequest): previous terminated container "main" in pod "talk" not found\n'
    assert (said.returncode, said.stderr) == (1, wanted)


def test_a_terminal_knows_its_size_and_its_new_one(talk: Fleet) -> None:
    """Both ends of kubectl are a terminal here: it tells the size of the one that it writes to."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 97, 0, 0))
        # A terminal has no size at first, of which busybox says nothing, and no fault either.
        script = 'until size=$(stty size) && [ "$size" ]; do sleep 0.1; done; echo $size; read -r go; stty size; exit 5'
        with kubectl(talk, "exec", "-it", "talk", "--", "sh", "-c", script, stdin=theirs, stdout=theirs) as process:
            heard = until_heard(ours, b"41 97")
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
            process.send_signal(signal.SIGWINCH)
            eventually(lambda: "30 100" in talk.kubectl("exec", "talk", "--", "sh", "-c", OTHER_TERMINALS), 10)
            os.write(ours, b"go\n")
            heard += until_heard(ours, b"30 100")
            assert process.wait(20 * PATIENCE) == 5, heard
    finally:
        os.close(ours)
        os.close(theirs)


def until_heard(terminal: int, wanted: bytes, limit: float = 10) -> bytes:
    """What the terminal shows, until it shows this."""
    heard = b""
    while wanted not in heard:
        assert select.select([terminal], [], [], limit * PATIENCE)[0], heard
        heard += os.read(terminal, 1000)
    return heard


def test_attach_reaches_the_process_itself(talk: Fleet) -> None:
    with kubectl(talk, "attach", "-i", "talk", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ahoy\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"heard ahoy\n"
    assert talk.kubectl("logs", "talk", "--tail=1") == "heard ahoy\n"


def test_files_are_copied_both_ways(talk: Fleet, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "up").write_bytes(content)
    talk.kubectl("cp", str(tmp_path / "up"), "default/talk:/tmp/there")
    talk.kubectl("cp", "default/talk:/tmp/there", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content


PROXIED = "/api/v1/namespaces/default/pods/talk:8080/proxy/any"


def test_a_pod_is_asked_through_the_proxy(talk: Fleet) -> None:
    eventually(lambda: talk.kubectl("get", "--raw", PROXIED) == "ahoy!\n", 10)


def test_a_forwarded_port_answers_again_and_again_and_a_closed_one_says_so(talk: Fleet) -> None:
    # Not before somebody listens in the pod: kubectl ends with the first connection that is refused there.
    eventually(lambda: talk.kubectl("get", "--raw", PROXIED) == "ahoy!\n", 30)
    with kubectl(talk, "port-forward", "pod/talk", "18080:8080", "18081:9") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"Forwarding from 127.0.0.1:18080 -> 8080\n"
        for _ in range(3):
            eventually(lambda: talk.fetch(HUB, "http://127.0.0.1:18080/") == "ahoy!\n", 10)
        with pytest.raises(ValueError, match="curl"):
            talk.fetch(HUB, "http://127.0.0.1:18081/")
        assert b"127.0.0.1: Connection refused" in process.stderr.readline()


def test_fifty_megabytes_go_in_while_others_stay_quick(talk: Fleet, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(50_000_000))
    with (
        (tmp_path / "large").open("rb") as large,
        kubectl(talk, "exec", "-i", "talk", "--", "wc", "-c", stdin=large) as process,
    ):
        quick = 0
        while process.poll() is None and quick < 3:
            assert talk.kubectl("exec", "talk", "--", "echo", "quick") == "quick\n"
            quick += 1
        assert quick == 3, "the large one was over before the quick ones"
        code, out, err = rest(process, 60)
    assert (code, out, err) == (0, "50000000\n", "")


def test_a_log_is_followed_across_rotation_to_its_end(talk: Fleet) -> None:
    wanted = [f"line {n:010} of a log that is turned over while somebody reads it" for n in range(1, 100_501)]
    with kubectl(talk, "logs", "-f", "many") as process:
        code, out, err = rest(process, 40)
    assert (code, err) == (0, "")
    assert out.splitlines() == wanted
    folder = next((talk.directory / "a" / "logs").glob("default_many_*")) / "main"
    assert (folder / "0.log.1").exists()
    assert talk.kubectl("logs", "many").splitlines() == wanted
    assert talk.kubectl("logs", "many", "--tail=1000").splitlines() == wanted[-1000:]


def test_a_node_that_is_cut_off_ends_the_streams_in_seconds(talk: Fleet) -> None:
    with (
        kubectl(talk, "logs", "-f", "away") as following,
        kubectl(talk, "exec", "away", "--", "sleep", "1000") as waiting,
    ):
        assert following.stdout is not None
        following.stdout.readline()
        talk.network.cut("b")
        began = time.monotonic()
        try:
            code, _, err = rest(waiting)
            assert code == 1
            assert "node b lost its link" in err
            code, _, err = rest(following)
            assert code == 1
            assert "unexpected EOF" in err
            assert time.monotonic() - began < 8 * PATIENCE
        finally:
            talk.network.heal("b")
    said = talk.try_kubectl("exec", "away", "--", "true")
    eventually(lambda: talk.try_kubectl("exec", "away", "--", "true").returncode == 0, 40, f"b is back; {said.stderr}")


def test_an_agent_that_is_killed_ends_the_streams_and_serves_again(talk: Fleet) -> None:
    with kubectl(talk, "exec", "talk", "--", "sleep", "1000") as waiting:
        eventually(lambda: "sleep 1000" in talk.kubectl("exec", "talk", "--", "ps"), 10)
        talk.kill("a")
        code, _, err = rest(waiting)
        assert (code, "node a lost its link" in err) == (1, True)
    talk.start_agent("a")
    eventually(lambda: talk.try_kubectl("exec", "talk", "--", "true").returncode == 0, 30, "the agent serves again")
