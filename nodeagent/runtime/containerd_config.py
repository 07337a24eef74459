"""The configuration of a containerd of our own. Pure: from where things lie to the text of `config.toml`.

It runs the CRI plugin with the overlay snapshotter and runc, and leaves out what a node of ours never uses.
"""

import json
from pathlib import Path

import msgspec

PAUSE_IMAGE = "wherry.local/pause:1"
"""What sandboxes run, where nothing else is set: built by `examples/images/build.sh`, loaded like any other image."""

_UNUSED = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.native",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.monitor.v1.cgroups",
)


class Layout(msgspec.Struct, frozen=True):
    """Where things lie below the directory that the agent was given. All of `root` is made by us and goes with us."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    @property
    def socket(self) -> Path:
        return self.root / "c.sock"

    @property
    def log(self) -> Path:
        return self.root / "containerd.log"

    @property
    def content(self) -> Path:
        return self.root / "root"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def runc(self) -> Path:
        return self.state / "runc"

    @property
    def tasks(self) -> Path:
        return self.state / "io.containerd.runtime.v2.task" / "k8s.io"

    @property
    def cni_conf(self) -> Path:
        return self.root / "cni" / "conf"

    @property
    def cni_data(self) -> Path:
        return self.root / "cni" / "data"

    @property
    def registries(self) -> Path:
        return self.root / "registries"


def config_toml(layout: Layout, *, cni_bin: Path, pause_image: str, restrict_oom_score: bool) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    runc = f"{cri}.containerd.runtimes.runc"
    sections: list[tuple[str, dict[str, object]]] = [
        (
            "",
            {
                "version": 2,
                "root": layout.content,
                "state": layout.state,
                "disabled_plugins": list(_UNUSED),
            },
        ),
        ("grpc", {"address": layout.socket}),
        ("debug", {"level": "warn"}),
        (
            cri,
            {
                "sandbox_image": pause_image,
                # Without CAP_SYS_RESOURCE no process may be made less likely to be killed than we are.
                "restrict_oom_score_adj": restrict_oom_score,
                # So that they are found, and go, with everything else that is ours.
                "netns_mounts_under_state_dir": True,
                "max_container_log_line_size": 16384,
                # Walks over every snapshot; the default of 10 s keeps a small machine awake.
                "stats_collect_period": 300,
            },
        ),
        (f"{cri}.cni", {"bin_dir": cni_bin, "conf_dir": layout.cni_conf}),
        (f"{cri}.containerd", {"default_runtime_name": "runc", "snapshotter": "overlayfs"}),
        (runc, {"runtime_type": "io.containerd.runc.v2"}),
        # runc's own default is shared by every containerd of the machine.
        (f"{runc}.options", {"SystemdCgroup": False, "Root": layout.runc}),
        (f"{cri}.registry", {"config_path": layout.registries}),
    ]
    return "\n".join(_section(name, values) for name, values in sections)


def _section(name: str, values: dict[str, object]) -> str:
    lines = [f"[{name}]"] if name else []
    lines += [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """TOML's numbers, booleans, basic strings and arrays of strings are written as JSON's."""
    return json.dumps(str(value) if isinstance(value, Path) else value)
