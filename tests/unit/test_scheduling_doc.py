"""What docs/scheduling.md shows is what happens."""

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from reconciler.cli import parser
from reconciler.config import load_config
from reconciler.explaining import explained, told
from reconciler.scheduler.profile import DEFAULT_WEIGHTS, PLAIN
from reconciler.scheduler.snapshot import Snapshot
from reconciler.schedulingtext import say_scheduling
from schemas.core.node import Node
from schemas.core.pod import Pod
from tests.oracles.scheduler.chance import made

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "scheduling.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("line", blocks("sh")[0].splitlines())
def test_every_command_is_one(line: str) -> None:
    assert parser().parse_args(shlex.split(line)[1:]).pod


def test_the_example_explains_as_shown() -> None:
    objects: dict[str, Node | Pod] = {}
    for written in yaml.safe_load_all(blocks("yaml")[0]):
        name = written["metadata"]["name"]
        written["metadata"]["uid"] = name
        objects[name] = made(Pod, written) if written["kind"] == "Pod" else made(Node, written)
    pod = objects["web-2"]
    assert isinstance(pod, Pod)
    said = say_scheduling(told(pod, explained(pod, Snapshot(objects.values()), PLAIN)))
    assert said == blocks("text")[0].rstrip("\n")


def test_the_configuration_shown_is_one(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.yaml"
    path.write_text(f"{blocks('yaml')[1]}manifests: /srv/manifests\nbroker: {{url: mqtt://localhost}}\n")
    profile = load_config(path).scheduler.profile()
    assert (profile.weights["ImageLocality"], profile.shape) == (5, ((0, 0), (100, 10)))


def test_the_weights_shown_are_the_default_ones() -> None:
    rows = re.findall(r"^\| (\w+) \| (\d) \|", TEXT, re.MULTILINE)
    assert {name: int(weight) for name, weight in rows} == DEFAULT_WEIGHTS


def test_the_plot_is_a_picture() -> None:
    (name,) = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    picture = ElementTree.parse(DOCS / name).getroot()
    assert picture.tag.endswith("svg")
    assert len(picture.findall(".//{*}polyline")) == 11


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", TEXT):
        assert (DOCS / target).exists(), target
