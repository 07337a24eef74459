"""containerd as a runtime: the contract, what containers see of themselves, and what survives which failure."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from nodeagent.network import cni
from nodeagent.runtime import processes
from nodeagent.runtime.cri import CriRuntime
from nodeagent.runtime.interface import (
    Container,
    ContainerConfig,
    Mount,
    PortMapping,
    RuntimeEvent,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    State,
    Unavailable,
)
from tests.lab.containerd import BUSYBOX, BUSYBOX_2, Lab, command, containerd, images, left_over, power_off
from tests.unit.nodeagent.runtime.archives import config, docker_archive, layer, oci_archive
from tests.unit.nodeagent.runtime.contract import *  # noqa: F403
from tests.unit.nodeagent.runtime.contract import LIMIT, Bench, heard

pytestmark = pytest.mark.lab

# As the first process of its namespace a shell takes a signal only when it traps it; it ends with the code in /tmp/end.
UNTIL_TOLD = ("sh", "-c", "trap 'exit 143' TERM; while [ ! -s /tmp/end ]; do sleep 0.05; done; exit $(cat /tmp/end)")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        context = containerd()
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
async def runtime(lab: Lab) -> AsyncIterator[CriRuntime]:
    runtime = CriRuntime(lab.own.address, "node", lab.own.cgroup_root)
    try:
        yield runtime
        for sandbox in await runtime.list_sandboxes():
            await runtime.remove_sandbox(sandbox.id)
    finally:
        runtime.close()


@pytest.fixture
def bench(runtime: CriRuntime, lab: Lab) -> Bench:
    async def end(container_id: str, code: int) -> None:
        await runtime.exec_sync(container_id, ["sh", "-c", f"echo {code} > /tmp/end"], 10)

    return Bench(runtime, BUSYBOX, images() / "busybox-1.tar", end, UNTIL_TOLD, lab.directory / "logs")


async def run(bench: Bench, name: str, sandbox: SandboxConfig | None = None, **changes: object) -> tuple[Sandbox, str]:
    """A container that runs until told, otherwise as `changes` say."""
    config = sandbox or bench.sandbox(name)
    made = await bench.runtime.run_sandbox(config)
    image = await bench.runtime.image_id(BUSYBOX)
    assert image is not None
    wanted = ContainerConfig(name="main", attempt=0, image=image.id, command=UNTIL_TOLD, log_path="0.log")
    wanted = msgspec.structs.replace(wanted, **changes)
    container_id = await bench.runtime.create_container(made.id, wanted, config)
    await bench.runtime.start_container(container_id)
    return made, container_id


async def inside(bench: Bench, container_id: str, script: str) -> str:
    result = await bench.runtime.exec_sync(container_id, ["sh", "-c", script], 10)
    return result.output.decode().strip()


async def test_one_that_ends_while_it_is_being_started_has_ended_when_that_is_told(bench: Bench) -> None:
    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        started = [asyncio.create_task(run(bench, f"brief-{number}", command=("true",))) for number in range(4)]
        left = 4
        async with asyncio.timeout(LIMIT):
            while left:
                event = await anext(events)
                assert (await bench.look(event.id)).state is State.EXITED
                left -= 1
            await asyncio.gather(*started)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.02)


def config_with(bench: Bench, name: str, **changes: object) -> SandboxConfig:
    return msgspec.structs.replace(bench.sandbox(name), **changes)


def changes(**values: object) -> dict[str, object]:
    return values


GREEDY = ("awk", 'BEGIN { s = "x"; while (1) s = s s }')

SETTINGS = [
    pytest.param(changes(environment=(("A", "b c"),)), "echo $A", "b c", id="environment"),
    pytest.param(changes(working_dir="/etc"), "pwd", "/etc", id="working directory"),
    pytest.param(changes(run_as_user=1000, run_as_group=2000), "echo $(id -u):$(id -g)", "1000:2000", id="user, group"),
    pytest.param(changes(run_as_user=7, supplemental_groups=(31,)), "id -G", "0 31", id="supplemental groups"),
    pytest.param(changes(read_only_root=True), "touch /x 2>&1", "touch: /x: Read-only file system", id="read-only"),
    pytest.param(changes(no_new_privileges=True), "grep NoNewPrivs /proc/1/status", "NoNewPrivs:\t1", id="privileges"),
    pytest.param(changes(drop_capabilities=("ALL",)), "grep CapEff /proc/1/status", "CapEff:\t" + "0" * 16, id="drop"),
    pytest.param(
        changes(drop_capabilities=("ALL",), add_capabilities=("NET_BIND_SERVICE",)),
        "grep CapEff /proc/1/status",
        "CapEff:\t0000000000000400",
        id="add",
    ),
    pytest.param({}, "grep Seccomp: /proc/1/status", "Seccomp:\t2", id="seccomp"),
    pytest.param(
        {},
        "wc -c < /proc/timer_list; (echo 1 > /proc/sys/kernel/domainname) 2>/dev/null || echo no",
        "0\nno",
        id="proc",
    ),
    pytest.param({}, "hostname", "seen", id="hostname"),
    pytest.param({}, "cat /etc/resolv.conf", "search a.test b.test\nnameserver 10.0.0.10\noptions ndots:5", id="dns"),
    pytest.param({}, "cat /proc/1/comm", "sh", id="process namespace"),
]


@pytest.mark.parametrize(("settings", "script", "seen"), SETTINGS)
async def test_a_container_sees_what_was_set(bench: Bench, settings: dict[str, object], script: str, seen: str) -> None:
    config = config_with(
        bench, "seen", dns_servers=("10.0.0.10",), dns_searches=("a.test", "b.test"), dns_options=("ndots:5",)
    )
    _, container_id = await run(bench, "seen", config, **settings)
    assert await inside(bench, container_id, script) == seen


async def test_resources_are_written_to_the_cgroup(bench: Bench, lab: Lab) -> None:
    sandbox, container_id = await run(
        bench, "sized", cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory_limit=64 * 1024 * 1024
    )
    (group,) = Path("/sys/fs/cgroup").glob(f"cpu*/{lab.own.cgroup_root}/pod{sandbox.uid}/{container_id}/cpu.shares")
    assert group.read_text() == "512\n"
    assert (group.parent / "cpu.cfs_quota_us").read_text() == "50000\n"
    memory = Path("/sys/fs/cgroup/memory", lab.own.cgroup_root, f"pod{sandbox.uid}", container_id)
    assert (memory / "memory.limit_in_bytes").read_text() == f"{64 * 1024 * 1024}\n"
    await bench.runtime.remove_sandbox(sandbox.id)
    assert list(Path("/sys/fs/cgroup").glob(f"*/{lab.own.cgroup_root}/pod{sandbox.uid}")) == []


async def test_a_container_that_takes_too_much_memory_is_said_to_be_killed_for_it(bench: Bench) -> None:
    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        _, container_id = await run(bench, "greedy", memory_limit=16 * 1024 * 1024, command=GREEDY)
        await heard(events, container_id)
    ended = await bench.ended(container_id)
    assert (ended.state, ended.exit_code, ended.reason) == (State.EXITED, 137, "OOMKilled")


async def test_volumes_are_mounted_as_asked(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("from the host")
    mounts = (Mount(host_path=tmp_path, container_path="/data", read_only=True),)
    _, container_id = await run(bench, "mounts", mounts=mounts)
    assert await inside(bench, container_id, "cat /data/note; touch /data/x 2>&1") == (
        "from the host" + "touch: /data/x: Read-only file system"
    )


async def test_a_pod_may_share_the_nodes_namespaces(bench: Bench) -> None:
    config = config_with(bench, "host", host_network=True, host_pid=True, host_ipc=True)
    sandbox, container_id = await run(bench, "host", config)
    assert sandbox.ips == ()
    for kind in ("net", "pid", "ipc"):
        assert await inside(bench, container_id, f"readlink /proc/self/ns/{kind}") == os.readlink(
            f"/proc/self/ns/{kind}"
        )


async def test_containers_of_a_pod_may_share_their_processes(bench: Bench) -> None:
    _, container_id = await run(bench, "shared", config_with(bench, "shared", share_process_namespace=True))
    assert "/pause" in await inside(bench, container_id, "ps")


async def test_a_privileged_container_may_do_what_the_node_may(bench: Bench) -> None:
    config = config_with(bench, "mighty", privileged=True)
    _, container_id = await run(bench, "mighty", config, privileged=True)
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    assert await inside(bench, container_id, "grep CapBnd /proc/1/status; grep Seccomp: /proc/1/status") == (
        f"{own}\nSeccomp:\t0"
    )


async def test_what_a_container_says_is_in_its_log_also_after_rotation(bench: Bench, lab: Lab) -> None:
    command = ("sh", "-c", "echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two >&2; sleep 100")
    _, container_id = await run(bench, "speaks", command=command)
    path = lab.directory / "logs" / "speaks" / "0.log"
    await until(lambda: path.exists() and path.read_text().endswith("stdout F one\n"))
    path.rename(path.with_suffix(".1"))
    await bench.runtime.reopen_log(container_id)
    await inside(bench, container_id, "touch /tmp/go")
    await until(lambda: path.read_text().endswith("stderr F two\n"))
    assert (await bench.look(container_id)).log_path == str(path)


async def test_a_host_port_leads_to_the_container(bench: Bench) -> None:
    config = config_with(bench, "served", port_mappings=(PortMapping(container_port=80, host_port=31980),))
    sandbox, _ = await run(bench, "served", config, command=("httpd", "-f", "-h", "/www"))
    for address in (f"{sandbox.ips[0]}:80", "127.0.0.1:31980"):
        fetch = ("timeout", "5", "busybox", "wget", "-q", "-O", "-", f"http://{address}/")
        assert await asyncio.to_thread(command, *fetch) == "hello from busybox 1\n"


async def test_a_pod_reaches_itself_by_its_own_host_port(bench: Bench, lab: Lab) -> None:
    config = config_with(bench, "mirror", port_mappings=(PortMapping(container_port=80, host_port=31981),))
    _, container_id = await run(bench, "mirror", config, command=("httpd", "-f", "-h", "/www"))
    assert (
        await inside(bench, container_id, "timeout 5 wget -q -O - http://10.199.0.1:31981/") == "hello from busybox 1"
    )


async def test_the_same_tag_may_come_to_mean_another_image(bench: Bench, tmp_path: Path) -> None:
    runtime = bench.runtime
    ids = []
    for index, name in enumerate(("busybox-1.tar", "busybox-2.tar")):
        copy = tmp_path / f"{index}.tar"
        source = f"docker-archive:{images() / name}"
        target = f"docker-archive:{copy}:example.org/moving:1"
        command("skopeo", "--insecure-policy", "copy", "--quiet", source, target)
        assert await runtime.load_archive(copy) == ["example.org/moving:1"]
        image = await runtime.image_id("example.org/moving:1")
        assert image is not None
        ids.append(image.id)
    assert ids == [image.id for image in [await runtime.image_id(BUSYBOX), await runtime.image_id(BUSYBOX_2)] if image]


@pytest.mark.parametrize("form", ["docker", "docker-packed", "oci", "index"])
async def test_every_form_of_archive_is_loaded_and_its_layers_are_whole(
    bench: Bench, tmp_path: Path, form: str
) -> None:
    path, name = tmp_path / "app.tar", f"example.org/{form}:1"
    if form.startswith("docker"):
        docker_archive(path, tags=(name,), packed=form == "docker-packed")
    else:
        oci_archive(path, name=name, platforms=("arm64", "amd64") if form == "index" else ())
    assert await bench.runtime.load_archive(path) == [name]
    config = bench.sandbox(form)
    sandbox = await bench.runtime.run_sandbox(config)
    wanted = ContainerConfig(name="main", attempt=0, image=name, command=("/none",))
    container_id = await bench.runtime.create_container(sandbox.id, wanted, config)  # unpacks
    with pytest.raises(RuntimeFailure, match="none"):
        await bench.runtime.start_container(container_id)


async def test_a_layer_that_is_not_what_its_digest_says_is_refused(bench: Bench, tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "app.tar", described=config([layer("promised")]), stored_layer=layer("delivered"))
    with pytest.raises(ValueError, match="does not match its digest"):
        await bench.runtime.load_archive(path)


async def test_anothers_sandboxes_are_not_seen(bench: Bench, lab: Lab) -> None:
    other = CriRuntime(lab.own.address, "other-node", lab.own.cgroup_root)
    try:
        theirs = await other.run_sandbox(bench.sandbox("theirs"))
        assert theirs.id not in [each.id for each in await bench.runtime.list_sandboxes()]
        assert await bench.runtime.list_sandboxes(theirs.id) == []
        await other.remove_sandbox(theirs.id)
    finally:
        other.close()


async def test_the_end_of_an_exec_is_no_event(bench: Bench) -> None:
    _, container_id = await bench.running("quiet")
    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        for _ in range(3):
            await bench.runtime.exec_sync(container_id, ["true"], 5)
        await bench.end(container_id, 1)
        assert await anext(events) == RuntimeEvent(container_id)
    assert (await bench.ended(container_id)).exit_code == 1


async def test_containerd_is_started_again_and_its_containers_run_on(bench: Bench, lab: Lab) -> None:
    _, container_id = await bench.running("lasting")
    before = await bench.look(container_id)
    supervisor = asyncio.create_task(lab.own.supervise())
    try:
        async with aclosing(bench.runtime.events()) as events:
            await heard(events, "")
            pid = lab.own.pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(Unavailable):
                await heard(events, "never")
        with pytest.raises(Unavailable):
            await bench.runtime.list_containers()
        await until(lambda: lab.own.pid() not in (None, pid))
        await lab.own.start()
    finally:
        supervisor.cancel()
    assert await bench.look(container_id) == before
    async with aclosing(bench.runtime.events()) as events:
        await heard(events, "")
        await bench.end(container_id, 5)
        await heard(events, container_id)
    assert (await bench.ended(container_id)).exit_code == 5


async def test_starting_what_runs_adopts_it(lab: Lab) -> None:
    pid = lab.own.pid()
    await lab.own.start()
    assert lab.own.pid() == pid


async def _some_pods(lab: Lab) -> list[Container]:
    bench = Bench(lab.runtime, BUSYBOX, Path(), lambda _, __: asyncio.sleep(0), UNTIL_TOLD, lab.directory / "logs")
    for number, port in enumerate((31990, 31991)):
        config = config_with(bench, f"pod-{number}", port_mappings=(PortMapping(container_port=80, host_port=port),))
        await run(bench, f"pod-{number}", config)
    return list(await lab.runtime.list_containers())


async def test_after_a_power_cut_all_is_known_and_can_be_replaced() -> None:
    async with containerd(pod_cidr="10.196.0.0/24") as lab:
        before = await _some_pods(lab)
        await power_off(lab.own)
        cni.lay(lab.network, lab.own.layout.cni_conf)
        await lab.own.start()
        assert [each.ready for each in await lab.runtime.list_sandboxes()] == [False, False]
        after = await lab.runtime.list_containers()
        assert {each.id for each in after} == {each.id for each in before}
        assert {each.state for each in after} <= {State.EXITED, State.UNKNOWN}
        for sandbox in await lab.runtime.list_sandboxes():
            await lab.runtime.remove_sandbox(sandbox.id)
        assert len(await _some_pods(lab)) == 2
        assert {each.state for each in await lab.runtime.list_containers()} == {State.RUNNING}


@pytest.mark.parametrize("how", ["alive", "dead", "shims dead"])
async def test_cleanup_leaves_nothing_whatever_is_dead(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with containerd(pod_cidr="10.198.0.0/24") as lab:
        assert len(await _some_pods(lab)) == 2
        shims = processes.find(lambda arguments: str(lab.own.address) in arguments and "shim" in arguments[0])
        assert len(shims) == 2
        pid = lab.own.pid()
        assert pid is not None
        if how == "shims dead":
            await processes.kill(shims)
        if how != "alive":
            await processes.kill([pid])
            monkeypatch.setenv("PATH", "/usr/bin:/usr/sbin")
            lab.own.layout.config.write_text("version = 2\n[grpc]\naddress = 7\n")  # it will not start again
            monkeypatch.setattr("nodeagent.runtime.containerd.config_toml", lambda *_, **__: "no configuration")
        lab.runtime.close()
        await lab.own.cleanup()
        await lab.own.cleanup()
        shutil.rmtree(lab.directory)
        assert left_over(lab) == []
        lab.directory.mkdir()


async def test_a_node_may_live_in_a_network_namespace() -> None:
    name = f"wherry-lab-{os.getpid()}"
    command("ip", "netns", "add", name)
    try:
        command("ip", "-n", name, "link", "set", "lo", "up")
        async with containerd(netns=name, pod_cidr="10.197.0.0/24") as lab:
            (container, _) = await _some_pods(lab)
            links = command("ip", "-n", name, "-br", "link")
            assert lab.own.bridge in links
            assert not Path("/sys/class/net", lab.own.bridge).exists()
            assert container.state is State.RUNNING
        links = command("ip", "-n", name, "-br", "link")
        assert [line.split()[0] for line in links.splitlines()] == ["lo"]
    finally:
        command("ip", "netns", "delete", name)
