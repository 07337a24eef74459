"""What a container finds of its settings: read inside it, from `/proc`, mounts and cgroups, and held against the
spec. One table: each row names the setting, the container, what is run there, and what it has to say.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from nodeagent.config import Config as AgentConfig
from nodeagent.machine.reading import machine
from nodeagent.node import facts
from nodeagent.pods.node import Directories
from nodeagent.pods.resources import oom_score_adj
from nodeagent.pods.workers import PodWorkers
from nodeagent.runtime.interface import State
from nodeagent.volumes import mounts
from schemas.configuration import BrokerAddress
from schemas.core.pod import Pod
from tests.lab import settingspods as pods
from tests.lab.containerd import Lab, containerd
from tests.unit.nodeagent.pods.builders import Recorder, accepted

pytestmark = pytest.mark.lab

CGROUPS_V1 = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
ONLY_V1 = "" if CGROUPS_V1 else "this machine has cgroups of version 2 alone"
ONLY_V2 = "this machine has cgroups of version 1" if CGROUPS_V1 else ""
NO_HUGETLB = (
    "" if Path("/sys/kernel/mm/hugepages/hugepages-2048kB").exists() else "the kernel has no huge pages of 2 MiB"
)
NO_HUGETLB_CGROUP = "" if Path("/sys/fs/cgroup/hugetlb").exists() else "the controller hugetlb is not mounted"
NO_APPARMOR = "" if Path("/sys/kernel/security/apparmor").exists() else "the kernel has no AppArmor"
NO_SELINUX = "" if Path("/sys/fs/selinux/enforce").exists() else "the kernel has no SELinux"
NO_DISK = "" if Path("/dev/vda").exists() else "there is no /dev/vda to show as a block volume"
OLD_CONTAINERD = "containerd before 2.0 cannot"


class Row(NamedTuple):
    """`where`: pod and container. `says`: all that `run` prints there; `{name}` is filled in from the node."""

    setting: str
    where: str
    run: str
    says: str
    skipped: str = ""


def cg(controller: str, file: str) -> str:
    """A file of the container's own cgroup."""
    return f"cat /sys/fs/cgroup/{controller}/{file}"


STATUS = "grep -E '^{}:' /proc/1/status | cut -f2"
MOUNT = "awk '$2 == \"{}\" {{ print $3 }}' /proc/mounts"
OPTION = "awk '$2 == \"{}\" {{ print $4 }}' /proc/mounts | tr , '\\n' | grep -x {}"
TOUCH = "touch {}/x 2>/dev/null && echo writes || echo refused"


ROWS = [
    # whom it runs as, and what it may do
    Row("runAsUser", "confined/main", "id -u", "1000"),
    Row("runAsGroup", "confined/main", "id -g", "3000"),
    Row("fsGroup: a group of the process", "confined/main", "id -G | tr ' ' '\\n' | grep -x 2000", "2000"),
    Row("supplementalGroups", "confined/main", "id -G | tr ' ' '\\n' | grep -x 4000", "4000"),
    Row("capabilities.drop: ALL, add: one", "confined/main", STATUS.format("CapBnd"), "0000000000000400"),
    Row("capabilities: default", "plain/main", STATUS.format("CapBnd"), "00000000a80425fb"),
    Row("capabilities: add and drop", "unconfined/adds", STATUS.format("CapBnd"), "00000000aa0425fa"),
    Row("capabilities: privileged", "host/main", STATUS.format("CapBnd"), "{capabilities}"),
    Row("allowPrivilegeEscalation: false", "confined/main", STATUS.format("NoNewPrivs"), "1"),
    Row("allowPrivilegeEscalation: default", "plain/main", STATUS.format("NoNewPrivs"), "0"),
    Row("readOnlyRootFilesystem", "confined/main", OPTION.format("/", "ro"), "ro"),
    Row("readOnlyRootFilesystem: default", "plain/main", TOUCH.format("/bin"), "writes"),
    Row("seccompProfile: RuntimeDefault", "confined/main", STATUS.format("Seccomp"), "2"),
    Row("seccompProfile: default", "plain/main", STATUS.format("Seccomp"), "2"),
    Row("seccompProfile: Unconfined", "unconfined/main", STATUS.format("Seccomp"), "0"),
    Row("seccompProfile: Localhost", "unconfined/profile", STATUS.format("Seccomp"), "2"),
    Row(
        "seccompProfile: Localhost refuses a call",
        "unconfined/profile",
        "mkdir /tmp/no 2>/dev/null || echo refused",
        "refused",
    ),
    Row("privileged: no seccomp", "host/main", STATUS.format("Seccomp"), "0"),
    Row("procMount: default masks", "plain/main", MOUNT.format("/sys/firmware"), "tmpfs"),
    Row("procMount: default is read-only", "plain/main", OPTION.format("/proc/sys", "ro"), "ro"),
    Row("procMount: Unmasked", "unconfined/main", "grep -c ' /proc/' /proc/mounts", "0"),
    Row(
        "appArmorProfile: default",
        "plain/main",
        "cat /proc/1/attr/current",
        "cri-containerd.apparmor.d (enforce)",
        NO_APPARMOR,
    ),
    Row("seLinuxOptions", "plain/main", "cat /proc/1/attr/current", "", NO_SELINUX or "not tried with SELinux"),
    Row("supplementalGroupsPolicy: Strict", "confined/main", "id -G", "", OLD_CONTAINERD),
    Row("hostUsers: false", "plain/main", "cat /proc/1/uid_map", "", OLD_CONTAINERD),
    # sysctls
    Row("sysctls: safe", "confined/main", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "81"),
    Row("sysctls: of IPC", "confined/main", "cat /proc/sys/kernel/shm_rmid_forced", "1"),
    Row("sysctls: allowed by the agent", "confined/main", "cat /proc/sys/net/core/somaxconn", "777"),
    # namespaces
    Row("hostNetwork: its own", "plain/main", '[ "$(readlink /proc/1/ns/net)" = "{net}" ] || echo own', "own"),
    Row("hostNetwork", "host/main", "readlink /proc/self/ns/net", "{net}"),
    Row("hostIPC: its own", "plain/main", '[ "$(readlink /proc/1/ns/ipc)" = "{ipc}" ] || echo own', "own"),
    Row("hostIPC", "host/main", "readlink /proc/self/ns/ipc", "{ipc}"),
    Row("hostPID: its own", "plain/main", "cat /proc/1/comm", "sh"),
    Row("hostPID", "host/main", "readlink /proc/self/ns/pid", "{pid}"),
    Row("shareProcessNamespace", "whole/main", "cat /proc/1/comm", "pause"),
    Row("runtimeClassName", "unconfined/main", "echo runs", "runs"),
    # names
    Row("hostname", "whole/main", "hostname | cut -d. -f1", "boat"),
    Row("subdomain, setHostnameAsFQDN", "whole/main", "hostname", "boat.river.default.svc.cluster.local"),
    Row("hostname: default", "plain/main", "hostname", "plain"),
    Row("hostAliases", "whole/main", "grep ^192.0.2.7 /etc/hosts | tr '\\t' ' '", "192.0.2.7 quay dock"),
    Row("/etc/hosts: its own", "whole/main", "grep -c 'boat.river.default.svc.cluster.local' /etc/hosts", "1"),
    Row("dnsPolicy: None", "whole/main", "grep nameserver /etc/resolv.conf", "nameserver 192.0.2.53"),
    Row("dnsConfig.searches", "whole/main", "grep search /etc/resolv.conf", "search harbour.example"),
    Row("dnsConfig.options", "whole/main", "grep options /etc/resolv.conf", "options ndots:3 edns0"),
    # what it is started with
    Row("command: $(VAR) of it", "confined/main", "tr '\\0' '\\n' < /proc/1/cmdline | sed -n 4p", "text"),
    Row("args: $(VAR) of it", "confined/main", "tr '\\0' '\\n' < /proc/1/cmdline | sed -n 5p", "red"),
    Row("args: $$(VAR)", "confined/main", "tr '\\0' '\\n' < /proc/1/cmdline | sed -n 6p", "$(COLOUR)"),
    Row("workingDir", "confined/main", "readlink /proc/1/cwd", "/bin"),
    Row("tty", "unconfined/main", "readlink /proc/1/fd/1", "/dev/pts/0"),
    Row("tty: false", "plain/main", "readlink /proc/1/fd/1 | cut -d: -f1", "pipe"),
    Row("stdin", "unconfined/main", "readlink /proc/1/fd/0", "/dev/pts/0"),
    Row("terminationMessagePath", "confined/main", "echo bye > /tmp/last-words; cat /tmp/last-words", "bye"),
    Row("env", "confined/main", "echo $PLAIN", "text"),
    Row("env: references", "confined/main", "echo $TWICE", "text-text-$(PLAIN)-$(NONE)"),
    Row("env: configMapKeyRef", "confined/main", "echo $COLOUR", "red"),
    Row("env: secretKeyRef", "confined/main", "echo $PASSWORD", "sesame"),
    Row("env: fieldRef of the status", "confined/main", 'ip -4 addr | grep -c "$IP/"', "1"),
    Row("env: fieldRef of a label", "confined/main", "echo $LABEL", "y"),
    Row("env: resourceFieldRef", "confined/main", "echo $MEMORY", "64"),
    Row("env: fileKeyRef", "confined/main", 'echo "$MADE"', "in two\nlines"),
    Row("envFrom, prefix", "confined/main", "echo $CFG_size", "9"),
    # cgroups
    Row("limits.cpu: quota", "confined/main", cg("cpu", "cpu.cfs_quota_us"), "25000", ONLY_V1),
    Row("limits.cpu: period", "confined/main", cg("cpu", "cpu.cfs_period_us"), "100000", ONLY_V1),
    Row("requests.cpu: shares", "confined/main", cg("cpu", "cpu.shares"), "256", ONLY_V1),
    Row("requests.cpu: none", "plain/main", cg("cpu", "cpu.shares"), "2", ONLY_V1),
    Row("limits.memory", "confined/main", cg("memory", "memory.limit_in_bytes"), str(64 << 20), ONLY_V1),
    Row(
        "limits.memory: beside a request",
        "unconfined/main",
        cg("memory", "memory.limit_in_bytes"),
        str(96 << 20),
        ONLY_V1,
    ),
    Row("limits.cpu on version 2", "confined/main", "cat /sys/fs/cgroup/cpu.max", "25000 100000", ONLY_V2),
    Row("limits.memory on version 2", "confined/main", "cat /sys/fs/cgroup/memory.max", str(64 << 20), ONLY_V2),
    Row("no swap on version 2", "confined/main", "cat /sys/fs/cgroup/memory.swap.max", "0", ONLY_V2),
    Row("killed together on version 2", "confined/main", "cat /sys/fs/cgroup/memory.oom.group", "1", ONLY_V2),
    Row("quality: Guaranteed", "confined/main", "grep :cpu: /proc/1/cgroup | cut -d/ -f3", "podconfined", ONLY_V1),
    Row(
        "quality: Burstable",
        "unconfined/main",
        "grep :cpu: /proc/1/cgroup | cut -d/ -f3,4",
        "burstable/podunconfined",
        ONLY_V1,
    ),
    Row(
        "quality: BestEffort", "plain/main", "grep :cpu: /proc/1/cgroup | cut -d/ -f3,4", "besteffort/podplain", ONLY_V1
    ),
    Row("OOM score: BestEffort", "plain/main", "cat /proc/1/oom_score_adj", "1000"),
    Row("OOM score: Burstable", "unconfined/main", "cat /proc/1/oom_score_adj", "{burstable_score}"),
    Row("hugepages: none allowed", "plain/main", cg("hugetlb", "hugetlb.2MB.limit_in_bytes"), "0", NO_HUGETLB_CGROUP),
    # of the pod as a whole: seen from the node
    Row("pod: cpu shares", "node", "cat {cpu}/podconfined/cpu.shares", "256", ONLY_V1),
    Row("pod: cpu quota", "node", "cat {cpu}/podconfined/cpu.cfs_quota_us", "25000", ONLY_V1),
    Row("pod: memory", "node", "cat {memory}/podconfined/memory.limit_in_bytes", str(64 << 20), ONLY_V1),
    Row(
        "pod.resources: memory", "node", "cat {memory}/burstable/podwhole/memory.limit_in_bytes", str(80 << 20), ONLY_V1
    ),
    Row("pod.resources: cpu quota", "node", "cat {cpu}/burstable/podwhole/cpu.cfs_quota_us", "30000", ONLY_V1),
    Row("podPidsLimit", "node", "cat {pids}/burstable/podwhole/pids.max", "321", ONLY_V1),
    Row("class: BestEffort pods", "node", "cat {cpu}/besteffort/cpu.shares", "2", ONLY_V1),
    # 100m of each of two pods, and 300m of the one with files
    Row("class: Burstable pods", "node", "cat {cpu}/burstable/cpu.shares", str(102 + 102 + 307), ONLY_V1),
    # devices
    Row("extended resource: the device", "unconfined/device", "[ -c /dev/full ] && echo here", "here"),
    Row("extended resource: what comes with it", "unconfined/device", "[ -c /dev/zero ] && echo here", "here"),
    Row(
        "extended resource: it opens",
        "unconfined/device",
        "echo x 2>&1 > /dev/full",
        "sh: write error: No space left on device",
    ),
    Row("extended resource: env", "unconfined/device", "echo $FULL_DEVICES", "/dev/full"),
    Row("extended resource: mounts", "unconfined/device", "cat /firmware/version", "7"),
    Row("extended resource: mounts are read-only", "unconfined/device", TOUCH.format("/firmware"), "refused"),
    Row("extended resource: groups", "unconfined/device", "id -G | tr ' ' '\\n' | grep -x 29", "29"),
    Row("volumeDevices", "files/main", "[ -b /dev/the-disk ] && echo here", "here", NO_DISK),
    # volumes
    Row("emptyDir", "files/main", TOUCH.format("/v/disk"), "writes"),
    Row("emptyDir: fsGroup", "files/main", "stat -c '%a %g' /v/disk", "2777 2000"),
    Row("emptyDir: Memory", "files/main", MOUNT.format("/v/memory"), "tmpfs"),
    Row("emptyDir: sizeLimit in memory", "files/main", OPTION.format("/v/memory", "size=1024k"), "size=1024k"),
    Row("emptyDir: HugePages", "huge/main", MOUNT.format("/huge"), "hugetlbfs", NO_HUGETLB),
    Row("emptyDir: size of huge pages", "huge/main", OPTION.format("/huge", "pagesize=2M"), "pagesize=2M", NO_HUGETLB),
    Row("configMap", "files/main", "cat /v/config/colour", "red"),
    Row("configMap: defaultMode, fsGroup", "files/main", "stat -L -c '%a %g' /v/config/size", "440 2000"),
    Row("configMap: items", "files/main", "cd /v/items && find -L . -type f -not -path '*/..*'", "./a/b"),
    Row("configMap: mode of an item", "files/main", "stat -L -c %a /v/items/a/b", "440"),
    Row("secret", "files/main", "cat /v/secret/password", "sesame"),
    Row("secret: on memory", "files/main", MOUNT.format("/v/secret"), "tmpfs"),
    Row("secret: optional", "files/main", "ls /v/optional", ""),
    Row("secret: read-only", "files/main", TOUCH.format("/v/secret"), "refused"),
    Row("downwardAPI: fieldRef", "files/main", "cat /v/downward/labels", 'app="x"\ntier="y"'),
    Row("downwardAPI: resourceFieldRef", "files/main", "cat /v/downward/cpu", "300"),
    Row("projected", "files/main", "cd /v/projected; echo $(ls)", "name password size token"),
    Row("projected: serviceAccountToken", "files/main", "cat /v/projected/token", "a.b.c"),
    Row("projected: defaultMode", "files/main", "stat -L -c %a /v/projected/size", "444"),
    Row("hostPath: Directory", "files/main", "cat /v/folder/deep", "down"),
    Row("hostPath: File", "files/main", "cat /v/file", "of the host"),
    Row("hostPath: DirectoryOrCreate", "files/main", "stat -c %a /v/new-folder", "755"),
    Row("hostPath: FileOrCreate", "files/main", "stat -c '%a %s' /v/new-file", "644 0"),
    Row("hostPath: Socket", "files/main", "[ -S /v/socket ] && echo here", "here"),
    Row("hostPath: CharDevice", "files/main", "[ -c /v/character ] && echo here", "here"),
    Row("persistentVolumeClaim", "files/main", "cat /v/claimed/deep", "down"),
    Row("persistentVolumeClaim: readOnly", "files/main", TOUCH.format("/v/claimed"), "refused"),
    Row("image", "files/main", "cat /v/image/etc/version", "2"),
    Row("image: read-only", "files/main", TOUCH.format("/v/image"), "refused"),
    Row("image: subPath", "files/main", "/v/image-part/busybox echo from the image", "from the image"),
    Row("readOnly", "files/main", TOUCH.format("/v/read-only"), "refused"),
    Row("readOnly: not what is mounted below", "files/main", TOUCH.format("/v/read-only/sub"), "writes"),
    Row("recursiveReadOnly", "files/main", TOUCH.format("/v/all-read-only"), "refused"),
    Row("recursiveReadOnly: what is mounted below", "files/main", TOUCH.format("/v/all-read-only/sub"), "refused"),
    Row("subPath", "files/main", "echo s > /v/part/s; cat /v/disk/one/two/s", "s"),
    Row("subPathExpr", "files/main", "echo e > /v/named/e; cat /v/disk/of-me/e", "e"),
    Row(
        "mountPropagation: None",
        "files/main",
        "grep ' /v/folder ' /proc/self/mountinfo | grep -cE 'shared:|master:'",
        "0",
    ),
    Row("mountPropagation: HostToContainer", "files/main", "cat /v/follows/late/word", "came later"),
    Row(
        "mountPropagation: Bidirectional", "files/main", "grep ' /v/both ' /proc/self/mountinfo | grep -c shared:", "1"
    ),
]


class Seen(NamedTuple):
    """What each row's script printed, and what is to be filled in."""

    printed: Mapping[int, str]
    filled_in: Mapping[str, str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(look(tmp_path_factory.mktemp("host")))


async def look(host: Path) -> Seen:
    async with containerd() as lab, host_folder(host):
        config = AgentConfig(
            broker=BrokerAddress(url="mqtt://nobody"),
            node="node",
            data=lab.directory / "data",
            devices=pods.devices(host),
            allowed_unsafe_sysctls=("net.core.*",),
            pod_pids_limit=321,
        )
        (config.data / "seccomp").mkdir(parents=True)
        (config.data / "seccomp" / "no.json").write_text(pods.NO_MKDIR)
        directories = Directories(config.data, lab.directory / "run", lab.directory / "logs")
        node = facts(config, machine(config))
        reporter = Recorder()
        workers = PodWorkers(lab.runtime, reporter, directories=directories, node=node)
        task = asyncio.create_task(workers.run())
        wanted = [pods.plain(), pods.confined(), pods.unconfined(), pods.whole(), pods.of_the_host()]
        wanted += [pods.with_files(host)] if not NO_DISK else []
        wanted += [pods.huge()] if not NO_HUGETLB else []
        configs = [*pods.CONFIGS, pods.volume_of_a_device("/dev/vda"), pods.volume_of_the_host(host / "tree")]
        try:
            workers.accept(accepted(wanted, configs))
            await until_running(reporter, wanted)
            come_later(host)
            score = oom_score_adj(pods.unconfined(), pods.unconfined().spec.containers[0], node.memory_capacity)
            filled_in = of_the_node(lab) | {"burstable_score": str(score)}
            printed = await run_all(lab, filled_in)
        finally:
            workers.accept(accepted([]))
            async with asyncio.timeout(120):
                while workers.statistics().workers:
                    await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for point in mounts.mounted_below(directories.run):
                mounts.unmount(point)
        return Seen(printed, filled_in)


@asynccontextmanager
async def host_folder(host: Path) -> AsyncIterator[None]:
    """What `with_files` mounts; below `tree` a file system of its own, which is shared as a systemd machine's are."""
    (host / "firmware").mkdir()
    (host / "firmware" / "version").write_text("7")
    (host / "file").write_text("of the host")
    tree = host / "tree"
    tree.mkdir()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        here = Path.cwd()
        os.chdir(host)  # a socket's path is at most 107 bytes long
        listener.bind("socket")
        os.chdir(here)
        mounts.mount("tmpfs", tree, "tmpfs")
        mounts.mount("", tree, flags=1 << 20)  # MS_SHARED
        (tree / "deep").write_text("down")
        for name in ("sub", "late"):
            (tree / name).mkdir()
        mounts.mount("tmpfs", tree / "sub", "tmpfs")
        try:
            yield
        finally:
            for point in mounts.mounted_below(tree):
                mounts.unmount(point)


def come_later(host: Path) -> None:
    """A mount on the node while the pod runs."""
    mounts.mount("tmpfs", host / "tree" / "late", "tmpfs")
    (host / "tree" / "late" / "word").write_text("came later")


async def until_running(reporter: Recorder, wanted: list[Pod]) -> None:
    def waiting() -> list[str]:
        found = []
        for pod in wanted:
            status = reporter.statuses.get(pod.metadata.uid)
            states = [(one.name, one.state) for one in status.container_statuses] if status else []
            found += [f"{pod.metadata.name}: {status}"] if not states else []
            found += [f"{pod.metadata.name}/{name}: {state}" for name, state in states if not (state and state.running)]
        return found

    try:
        async with asyncio.timeout(120):
            while waiting():
                await asyncio.sleep(0.02)
    except TimeoutError:
        said = [f"{event.reason}: {event.message}" for event in reporter.events if event.type == "Warning"]
        raise AssertionError("\n".join([*waiting(), *said])) from None


def of_the_node(lab: Lab) -> dict[str, str]:
    spaces = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("net", "ipc", "pid")}
    cgroups = {name: f"/sys/fs/cgroup/{name}/{lab.own.cgroup_root}" for name in ("cpu", "memory", "pids")}
    status = Path("/proc/self/status").read_text().splitlines()
    return spaces | cgroups | {"capabilities": next(line.split()[1] for line in status if line.startswith("CapBnd"))}


async def run_all(lab: Lab, filled_in: Mapping[str, str]) -> dict[int, str]:
    """One process in each container for all of its rows."""
    running = [one for one in await lab.runtime.list_containers() if one.state is State.RUNNING]
    ids = {f"{one.labels['io.kubernetes.pod.name']}/{one.name}": one.id for one in running}
    printed: dict[int, str] = {}
    for where in {row.where for row in ROWS if not row.skipped}:
        indexes = [index for index, row in enumerate(ROWS) if row.where == where and not row.skipped]
        texts = [f"( {fill(ROWS[index].run, filled_in)}\n) 2>&1; printf '\\036'" for index in indexes]
        script = "\n".join(texts)
        if where == "node":
            process = await asyncio.create_subprocess_exec("sh", "-c", script, stdout=asyncio.subprocess.PIPE)
            output, _ = await process.communicate()
        else:
            output = (await lab.runtime.exec_sync(ids[where], ["sh", "-c", script], 60)).output
        for index, text in zip(indexes, output.decode().split("\036"), strict=False):
            printed[index] = text.strip("\r\n")
    return printed


def fill(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.mark.parametrize("index", range(len(ROWS)), ids=[row.setting for row in ROWS])
def test_a_container_finds_its_settings(seen: Seen, index: int) -> None:
    row = ROWS[index]
    if row.skipped:
        pytest.skip(f"{row.setting}: {row.skipped}")
    assert seen.printed[index] == fill(row.says, seen.filled_in)


def test_the_table_has_the_settings_that_matter() -> None:
    assert sum(not row.skipped for row in ROWS) >= 60
