"""What the doctor says of machines, and the line that mends each."""

import pytest
from msgspec.structs import replace

from nodeagent.doctor.checks import KERNEL, PACKAGES, TUNNELS, Containerd, Disk, Seen, findings
from nodeagent.doctor.command import shown
from nodeagent.doctor.findings import Finding, Verdict
from nodeagent.doctor.looking import disabled_plugins

GIB = 1024**3
WELL = Seen(
    config="/etc/wherry/nodeagent.yaml",
    model="Raspberry Pi 4 Model B Rev 1.4",
    cmdline_file="/boot/firmware/cmdline.txt",
    programs={name: f"/usr/bin/{name}" for name in PACKAGES},
    cni_directory="/usr/lib/cni",
    containerd=Containerd(version="1.6.20~ds1", answer="containerd://1.6.20"),
    controllers=frozenset({"cpu", "memory", "pids"}),
    features=dict.fromkeys((*KERNEL, *TUNNELS), True),
    is_clock_synchronised=True,
    year=2026,
    memory=4 * GIB,
    disk=Disk(path="/var/lib", free=20 * GIB, total=30 * GIB, filesystem="ext4", device="mmcblk0p2"),
    broker="mqtts://broker:8883",
    broker_error="",
)


def bad(seen: Seen) -> list[Finding]:
    return [one for one in findings(seen) if one.verdict is not Verdict.OK]


def test_nothing_is_wrong_with_a_machine_that_is_well() -> None:
    assert bad(WELL) == []
    assert all(not one.mend for one in findings(WELL))


@pytest.mark.parametrize(
    ("seen", "check", "verdict", "said", "mend"),
    [
        pytest.param(
            replace(WELL, config_error="nodeagent.yaml: broker: missing"),
            "configuration",
            "fault",
            "nodeagent.yaml: broker: missing",
            "sudoedit /etc/wherry/nodeagent.yaml",
            id="configuration",
        ),
        pytest.param(
            replace(WELL, programs={**WELL.programs, "nft": "", "runc": ""}),
            "programs",
            "fault",
            "not installed: runc, nft",
            "sudo apt-get install nftables runc",
            id="programs",
        ),
        pytest.param(
            replace(WELL, containerd=Containerd(version="1.4.13")),
            "containerd",
            "fault",
            "version 1.4.13 is too old: 1.6 or later is needed",
            "sudo apt-get install --only-upgrade containerd",
            id="an old containerd",
        ),
        pytest.param(
            replace(WELL, containerd=Containerd(version="1.7.27", disabled=("cri",), error="unknown service")),
            "containerd",
            "fault",
            "/etc/containerd/config.toml switches the CRI plugin off, as Docker's packages ship it",
            r"sudo sed -i 's/^\( *disabled_plugins\b.*\)/#\1/' /etc/containerd/config.toml"
            " && sudo systemctl restart containerd",
            id="Docker's containerd",
        ),
        pytest.param(
            replace(WELL, containerd=Containerd(version="1.7.27", error="containerd cannot be reached")),
            "containerd",
            "fault",
            "containerd cannot be reached",
            "sudo systemctl enable --now containerd",
            id="a containerd that does not run",
        ),
        pytest.param(
            replace(WELL, is_root=False, containerd=Containerd(version="1.7.27")),
            "containerd",
            "unknown",
            "only root may ask /run/containerd/containerd.sock",
            "sudo nodeagent doctor    # only root may ask /run/containerd/containerd.sock",
            id="not root",
        ),
        pytest.param(
            replace(WELL, cni_directory=""),
            "CNI plugins",
            "fault",
            "not all of bridge, host-local, loopback, portmap are in /usr/lib/cni or /opt/cni/bin",
            "sudo apt-get install containernetworking-plugins",
            id="CNI plugins",
        ),
        pytest.param(
            replace(WELL, controllers=frozenset({"cpu", "pids"})),
            "cgroups",
            "fault",
            "the kernel was booted without memory: limits of pods cannot be kept "
            "(Raspberry Pi OS: Raspberry Pi 4 Model B Rev 1.4)",
            "sudo sed -i '1 s/$/ cgroup_enable=memory cgroup_memory=1/' /boot/firmware/cmdline.txt && sudo reboot",
            id="Raspberry Pi OS",
        ),
        pytest.param(
            replace(WELL, controllers=frozenset({"cpu", "memory"}), cmdline_file=""),
            "cgroups",
            "fault",
            "the kernel was booted without pids: limits of pods cannot be kept",
            "add to the kernel's command line and boot anew: cgroup_enable=pids",
            id="another controller",
        ),
        pytest.param(
            replace(WELL, features={**WELL.features, "overlay": False}),
            "kernel",
            "fault",
            "without overlay for layers of images",
            "sudo modprobe -a overlay    # where that fails: sudo apt-get install linux-modules-extra-$(uname -r)",
            id="no overlay",
        ),
        pytest.param(
            replace(WELL, features={**WELL.features, "vxlan": False}),
            "tunnels",
            "warning",
            "without vxlan: pods of nodes that share no network cannot reach each other by it",
            "sudo modprobe -a vxlan    # where that fails: sudo apt-get install linux-modules-extra-$(uname -r)",
            id="no tunnel",
        ),
        pytest.param(
            replace(WELL, memory=300 * 1024**2),
            "memory",
            "warning",
            "300 MiB: little is left for pods",
            "lower `reserved.memory` and `evictionHard` in the configuration",
            id="little memory",
        ),
        pytest.param(
            replace(WELL, disk=replace(WELL.disk, free=GIB // 2)),
            "disk",
            "warning",
            "512 MiB free of 30720 MiB at /var/lib (ext4, an SD card or eMMC): images and pods need more",
            "make room, or name another `data` in the configuration: du -xh /var/lib | sort -h | tail",
            id="little room",
        ),
        pytest.param(
            replace(WELL, disk=replace(WELL.disk, filesystem="tmpfs")),
            "disk",
            "fault",
            "/var/lib is in memory: what the node has accepted is gone after a reboot",
            "name a `data` directory on a disk in the configuration",
            id="a disk in memory",
        ),
        pytest.param(
            replace(WELL, is_clock_synchronised=False),
            "clock",
            "warning",
            "nothing keeps it right",
            "sudo timedatectl set-ntp true    # or: sudo apt-get install chrony",
            id="a clock that nobody sets",
        ),
        pytest.param(
            replace(WELL, year=1970),
            "clock",
            "fault",
            "it is not 1970: certificates and tokens will not be taken",
            "sudo timedatectl set-ntp true    # or: sudo apt-get install chrony",
            id="a clock without a battery",
        ),
        pytest.param(
            replace(WELL, broker_error="the broker refuses user name or password"),
            "broker",
            "fault",
            "mqtts://broker:8883: the broker refuses user name or password",
            "write the broker's password for this node into broker.passwordFile",
            id="a password",
        ),
        pytest.param(
            replace(WELL, broker_error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"),
            "broker",
            "fault",
            "mqtts://broker:8883: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate",
            "name the authority of the broker's certificate in broker.caFile",
            id="a certificate",
        ),
        pytest.param(
            replace(WELL, broker_error="[Errno 111] Connection refused"),
            "broker",
            "fault",
            "mqtts://broker:8883: [Errno 111] Connection refused",
            "check broker.url, the broker, and the firewall between: outgoing TCP is all it needs",
            id="nobody there",
        ),
    ],
)
def test_each_fault_comes_with_the_line_that_mends_it(
    seen: Seen, check: str, verdict: str, said: str, mend: str
) -> None:
    (one,) = bad(seen)
    assert (one.check, one.verdict, one.message, one.mend) == (check, verdict, said, mend)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('disabled_plugins = ["cri"]\n', ("cri",), id="as Docker's packages ship it"),
        pytest.param('#disabled_plugins = ["cri"]\n', (), id="mended"),
        pytest.param("version = 2\n", (), id="without it"),
        pytest.param("not toml", (), id="no TOML"),
    ],
)
def test_what_containerd_switches_off_is_read_from_its_file(text: str, found: tuple[str, ...]) -> None:
    assert disabled_plugins(text) == found


def test_the_table_has_each_line_that_mends_below_its_row() -> None:
    text = shown(findings(replace(WELL, cni_directory="", is_clock_synchronised=False)))
    assert "FAULT  CNI plugins    not all of" in text
    assert "\n                      -> sudo apt-get install containernetworking-plugins\n" in text
    assert text.endswith("\nThis machine cannot be a node yet: 1 fault to mend.\n")
    assert shown(findings(WELL)).endswith("\nThis machine can be a node.\n")
