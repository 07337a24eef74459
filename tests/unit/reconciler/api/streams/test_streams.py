"""Logs, shells and forwarded ports, as the real kubectl sees them; the node is simulated, broker and link are real."""

import asyncio

import aiohttp
import pytest
from kubernetes import client, config
from kubernetes.stream import stream

from tests.unit.reconciler.api.streams.conftest import Simulated, unbound

PODS = "/api/v1/namespaces/default/pods"
LIMIT = 60
"""Seconds."""


async def raw(box: Simulated, method: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and message of what is answered to a client that is not kubectl."""
    url = f"https://127.0.0.1:{box.server.port}{path}"
    async with aiohttp.ClientSession() as session:
        headers["Authorization"] = "Bearer good"
        async with session.request(method, url, headers=headers, ssl=False) as answer:
            if answer.content_type != "application/json":
                return answer.status, await answer.text()
            return answer.status, (await answer.json()).get("message", "")


async def test_a_log_is_read_whole_in_part_and_with_times(box: Simulated) -> None:
    assert (await box.kubectl("logs", "web")).out == "simulated docker.io/library/app:1 runs\n"
    assert (await box.kubectl("logs", "web", "--limit-bytes=9")).out == "simulated"
    assert (await box.kubectl("logs", "web", "--tail=0")).out == ""
    assert (await box.kubectl("logs", "web", "--timestamps")).out[:2] == "20"
    assert (await box.kubectl("logs", "web", "--since-time=2099-01-01T00:00:00Z")).out == ""


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        pytest.param(
            "tailLines=-1",
            422,
            'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
            id="tail",
        ),
        pytest.param(
            "limitBytes=0",
            422,
            'PodLogOptions "web" is invalid: limitBytes: Invalid value: 0: must be greater than 0',
            id="limit",
        ),
        pytest.param("tailLines=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax', id="no number"),
        pytest.param("container=zz", 400, "container zz is not valid for pod web", id="container"),
        pytest.param(
            "previous=true", 400, 'previous terminated container "main" in pod "web" not found', id="no previous one"
        ),
    ],
)
async def test_a_log_that_cannot_be_had_is_refused_in_kubernetes_words(
    box: Simulated, query: str, code: int, message: str
) -> None:
    assert await raw(box, "GET", f"{PODS}/web/log?{query}") == (code, message)


async def test_a_pod_that_is_not_there_or_runs_nowhere_has_no_streams(box: Simulated) -> None:
    await box.apply(unbound("floating"))
    assert await raw(box, "GET", f"{PODS}/nosuch/log") == (404, 'pods "nosuch" not found')
    assert await raw(box, "GET", f"{PODS}/floating/log") == (204, "")
    assert await raw(box, "GET", f"{PODS}/floating/exec?command=ls") == (400, "Upgrade request required")
    said = await box.try_kubectl("exec", "floating", "--", "ls")
    assert said.err == "error: unable to upgrade connection: pod floating does not have a host assigned\n"


async def test_of_several_containers_one_has_to_be_named(box: Simulated) -> None:
    await box.run_pod("two", containers=[{"name": "one", "image": "app:1"}, {"name": "two", "image": "app:2"}])
    code, message = await raw(box, "GET", f"{PODS}/two/log")
    assert (code, message) == (400, "a container name must be specified for pod two, choose one of: [one two]")
    assert (await box.kubectl("logs", "two", "-c", "two")).out == "simulated docker.io/library/app:2 runs\n"


async def test_exec_carries_input_output_and_exit_code(box: Simulated) -> None:
    assert (await box.kubectl("exec", "web", "--", "echo", "hello", "world")).out == "hello world\n"
    assert (await box.kubectl("exec", "-i", "web", "--", "cat", stdin="ahoy\n" * 50_000)).out == "ahoy\n" * 50_000
    said = await box.try_kubectl("exec", "web", "--", "exit", "7")
    assert (said.code, said.err) == (7, "command terminated with exit code 7\n")


async def test_the_python_client_streams_a_command_both_ways(box: Simulated) -> None:
    def run() -> tuple[str, int]:
        api = config.new_client_from_config(str(box.kubeconfig))
        ask = client.CoreV1Api(api).connect_get_namespaced_pod_exec
        told = {"stdin": True, "stdout": True, "stderr": True, "_preload_content": False}
        shell = stream(ask, "web", "default", command=["cat"], **told)
        shell.write_stdin("through the link\n")
        line: str = shell.readline_stdout(timeout=LIMIT)
        shell.sock.shutdown()  # `close` leaves the socket to the garbage collector
        shell = stream(ask, "web", "default", command=["exit", "7"], **told)
        shell.run_forever(timeout=LIMIT)
        shell.sock.shutdown()
        return line, shell.returncode

    assert await asyncio.wait_for(asyncio.to_thread(run), 2 * LIMIT) == ("through the link", 7)


async def test_many_commands_run_at_once(box: Simulated) -> None:
    said = await asyncio.gather(*(box.kubectl("exec", "web", "--", "echo", str(number)) for number in range(8)))
    assert [one.out for one in said] == [f"{number}\n" for number in range(8)]


async def test_attach_carries_what_is_said_both_ways(box: Simulated) -> None:
    await box.run_pod("talker", containers=[{"name": "main", "image": "app:1", "stdin": True}])
    said = await box.kubectl("attach", "-i", "talker", stdin="ahoy\n")
    assert said.out == "ahoy\n"


async def test_a_forwarded_port_carries_several_connections(box: Simulated) -> None:
    forward = await box.start_kubectl("port-forward", "pod/web", ":8080")
    try:
        assert forward.stdout is not None
        port = int((await forward.stdout.readline()).split()[2].rpartition(b":")[2])
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        for number, (_, writer) in enumerate(ends):
            writer.write(str(number).encode() * 100_000)
            writer.write_eof()
        async with asyncio.timeout(60):
            for number, (reader, writer) in reversed(list(enumerate(ends))):
                assert await reader.read() == str(number).encode() * 100_000
                writer.close()
    finally:
        forward.terminate()
        await forward.communicate()


async def test_a_client_that_speaks_only_spdy_is_told_what_to_do(box: Simulated) -> None:
    code, message = await raw(
        box, "POST", f"{PODS}/web/exec?command=ls&stdout=true", Upgrade="SPDY/3.1", Connection="Upgrade"
    )
    assert code == 400
    assert message.startswith("streams are served over WebSocket, not over SPDY: use kubectl 1.31 or later")


async def test_the_channel_protocol_of_other_clients_is_spoken(box: Simulated) -> None:
    """As the Python client speaks it: version 4, GET, and ports by query."""
    url = f"https://127.0.0.1:{box.server.port}{PODS}/web"
    headers = {"Authorization": "Bearer good"}
    async with aiohttp.ClientSession(headers=headers) as session:
        query = "exec?command=echo&command=hi&stdout=true&stderr=true"
        async with session.ws_connect(f"{url}/{query}", protocols=["v4.channel.k8s.io"], ssl=False) as socket:
            assert await socket.receive_bytes() == b"\x01hi\n"
            assert await socket.receive_bytes() == b'\x03{"metadata":{},"status":"Success"}'
        query = "portforward?ports=80,8080"
        async with session.ws_connect(f"{url}/{query}", protocols=["v4.channel.k8s.io"], ssl=False) as socket:
            heads = {await socket.receive_bytes() for _ in range(4)}
            assert heads == {b"\x00\x50\x00", b"\x01\x50\x00", b"\x02\x90\x1f", b"\x03\x90\x1f"}
            await socket.send_bytes(b"\x02ahoy")
            assert await socket.receive_bytes() == b"\x02ahoy"


async def test_a_node_that_is_cut_off_ends_its_streams_and_refuses_new_ones(box: Simulated) -> None:
    waiting = await box.start_kubectl("exec", "web", "--", "sleep", "1000")
    while not box.link.rpc.statistics().streams:
        await asyncio.sleep(0.01)
    await box.node.cut()
    _, err = await asyncio.wait_for(waiting.communicate(), 60)
    assert waiting.returncode == 1
    assert b"node n1 lost its link or its agent was restarted" in err
    said = await box.try_kubectl("logs", "web")
    assert said.err.startswith("Error from server (ServiceUnavailable): node n1 has no link to the cluster now")
    assert box.link.rpc.statistics().streams == 0
