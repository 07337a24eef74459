"""What docs/images.md shows is what is taken."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from nodeagent.config import Config, load_config
from nodeagent.images.ahead import GIVE_UP_SECONDS
from nodeagent.images.backoff import FIRST_DELAY, LONGEST_DELAY
from nodeagent.images.collector import LOOK_SECONDS
from nodeagent.images.progress import FIRST_WORD
from nodeagent.images.registries import files
from nodeagent.runtime.containerd_config import Layout, config_toml
from reconciler.controllers.imagewait import STATES
from reconciler.link.readying import PREPULL, asks
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.validation import validate

TEXT = (Path(__file__).parents[2] / "docs" / "images.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
MANIFESTS = [text for text in BLOCKS if "apiVersion" in text]
SETTINGS = [text for text in BLOCKS if text.startswith("# agent.yaml")]


def settings(path: Path, text: str) -> Config:
    path.write_text(text + "\nbroker: {url: mqtt://localhost}\nnode: n\n")
    return load_config(path)


@pytest.mark.parametrize("text", MANIFESTS, ids=[yaml.safe_load(text)["kind"] for text in MANIFESTS])
def test_every_manifest_is_taken(text: str) -> None:
    document = yaml.safe_load(text)
    document["metadata"]["namespace"] = "default"
    decoded = decode(BY_NAME[document["kind"]], document)
    assert decoded.faults == ()
    assert decoded.object is not None
    assert validate(defaulted(decoded.object)) == ()
    assert asks(decoded.object) == (document["kind"] == "Deployment")


def test_every_setting_is_taken(tmp_path: Path) -> None:
    assert len(SETTINGS) == 3
    for text in SETTINGS:
        settings(tmp_path / "agent.yaml", text)


def test_the_marks_shown_are_the_defaults(tmp_path: Path) -> None:
    shown = settings(tmp_path / "agent.yaml", SETTINGS[2])
    assert shown == settings(tmp_path / "agent.yaml", "")


def test_the_registries_shown_are_files_that_containerd_can_read(tmp_path: Path) -> None:
    registries = settings(tmp_path / "agent.yaml", SETTINGS[0]).registries
    read = {name: tomllib.loads(text) for name, text in files(registries, ()).items()}
    assert list(read["docker.io"]["host"]) == [
        "https://mirror.lan:5000",
        "https://proxy.lan/v2/hub",
        "https://registry-1.docker.io",
    ]
    assert read["docker.io"]["host"]["https://mirror.lan:5000"]["ca"] == "/etc/wherry/lan-ca.pem"
    assert read["docker.io"]["host"]["https://proxy.lan/v2/hub"]["client"] == [
        ["/etc/wherry/node.pem", "/etc/wherry/node.key"]
    ]
    assert read["plain.lan:5000"]["server"] == "http://plain.lan:5000"
    assert read["old.lan"]["host"]["https://old.lan"]["skip_verify"] is True
    assert list(read["_default"]["host"]) == ["https://cache.lan"]


def test_the_line_for_the_systems_containerd_is_where_ours_has_it() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    layout = Layout(Path("/x"))
    ours = config_toml(layout, cni_bin=Path("/cni"), pause_image="pause", restrict_oom_score=False)
    plugin = "io.containerd.grpc.v1.cri"
    assert tomllib.loads(shown)["plugins"][plugin]["registry"].keys() == {"config_path"}
    assert tomllib.loads(ours)["plugins"][plugin]["registry"] == {"config_path": str(layout.registries)}


def test_the_figures_are_those_of_the_code() -> None:
    assert (FIRST_DELAY, LONGEST_DELAY, FIRST_WORD) == (10, 300, 15)
    assert (GIVE_UP_SECONDS, LOOK_SECONDS) == (300, 300)
    assert f"`{STATES}`" in TEXT
    assert f'`{PREPULL}: "true"`' in TEXT
