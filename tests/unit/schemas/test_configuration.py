"""Configuration files: what is wrong is said with file and field."""

from pathlib import Path

import pytest

from nodeagent.config import load_config as load_agent
from reconciler.config import load_config as load_reconciler
from schemas.configuration import BadConfiguration

AGENT = "node: a\nbroker: {url: 'mqtt://b:1883'}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_an_agent_is_named_after_its_machine_where_the_file_does_not_say(tmp_path: Path) -> None:
    config = load_agent(written(tmp_path, "broker: {url: 'mqtt://b:1883'}\n"))
    assert config.node == config.node.lower() != ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("broker: {ul: x}\n", ["config.yaml: broker:", "ul"], id="unknown field"),
        pytest.param("broker: {url: 5}\n", ["broker.url:", "str"], id="wrong type"),
        pytest.param(AGENT.replace("node: a", "node: A_b"), ["node:", "'A_b'", "lower-case"], id="bad node name"),
        pytest.param("node: a\n", ["broker"], id="missing field"),
        pytest.param("a: [\n", ["not YAML"], id="not YAML"),
        pytest.param(AGENT + "labels: {x: 1}\n", ["labels", "str"], id="number as a label"),
    ],
)
def test_a_fault_names_file_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(BadConfiguration) as error:
        load_agent(written(tmp_path, text))
    for word in ["config.yaml", *words]:
        assert word in str(error.value)


def test_a_missing_file_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"nowhere\.yaml"):
        load_agent(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("brokers", "good"),
    [
        pytest.param("", False, id="none"),
        pytest.param("broker: {url: 'mqtt://b'}\n", True, id="external"),
        pytest.param("embeddedBroker: {passwordFile: /x}\n", True, id="embedded"),
        pytest.param("broker: {url: 'mqtt://b'}\nembeddedBroker: {passwordFile: /x}\n", False, id="both"),
    ],
)
def test_a_reconciler_has_exactly_one_broker(tmp_path: Path, brokers: str, good: bool) -> None:
    path = written(tmp_path, f"manifests: /m\n{brokers}")
    if good:
        assert load_reconciler(path).manifests == Path("/m")
    else:
        with pytest.raises(BadConfiguration, match="either `broker:`"):
            load_reconciler(path)


def test_an_address_without_a_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match=r"api\.listen: expected ADDRESS:PORT"):
        load_reconciler(written(tmp_path, "manifests: /m\nbroker: {url: x}\napi: {listen: localhost}\n"))
