"""`wherry up` prepares its folder, and prepares it the same way again."""

import re
import socket
from pathlib import Path

import pytest
import yaml

from nodeagent.config import load_config as load_agent
from nodeagent.simulation import Simulation
from reconciler.box import Box, check_port, facts, prepare, stop
from reconciler.config import load_config
from schemas.configuration import BadConfiguration, load


def test_both_daemons_can_read_what_up_writes(tmp_path: Path) -> None:
    box = prepare(tmp_path / "box", None, 7443, 0)
    reconciler, agent = load_config(box.reconciler_config), load_agent(box.agent_config)
    assert reconciler.api.listen == "127.0.0.1:7443"
    assert reconciler.embedded_broker is not None
    assert agent.broker.url == f"mqtt://{reconciler.embedded_broker.listen}"
    assert agent.broker.password() == reconciler.embedded_broker.password_file.read_text()
    assert agent.containerd == "own"
    assert agent.images == tmp_path / "box" / "images"
    assert (tmp_path / "box" / "manifests").is_dir()


def test_a_second_up_keeps_what_the_first_one_chose(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    box = prepare(tmp_path / "box", tmp_path / "m", 7443, 0)
    before = {path: path.read_text() for path in (box.reconciler_config, box.agent_config)}
    prepare(tmp_path / "box", None, None, None)
    assert before == {path: path.read_text() for path in before}


def test_the_secret_of_the_broker_is_for_its_owner_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "box", None, None, 0)
    assert (tmp_path / "box" / "broker.secret").stat().st_mode & 0o077 == 0


def test_a_folder_of_manifests_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="no such folder"):
        prepare(tmp_path / "box", tmp_path / "nowhere", None, 0)


def test_simulated_nodes_need_no_containerd(tmp_path: Path) -> None:
    box = prepare(tmp_path / "box", None, None, 3)
    assert box.simulated == 3
    assert "containerd" not in yaml.safe_load(box.agent_config.read_text())


def test_stopping_what_never_ran_is_harmless(tmp_path: Path) -> None:
    assert stop(Box(tmp_path / "never")) == []


def test_the_facts_name_what_a_person_needs(tmp_path: Path) -> None:
    known = facts(prepare(tmp_path / "box", None, 7443, 2))
    assert known["api"] == "https://127.0.0.1:7443"
    assert known["reconcilerPid"] is None
    assert known["simulatedNodes"] == 2


def test_settings_that_a_person_added_are_kept(tmp_path: Path) -> None:
    box = prepare(tmp_path / "box", None, 7443, 2)
    box.reconciler_config.write_text(
        box.reconciler_config.read_text().replace("127.0.0.1:7443", "0.0.0.0:7443\n  names: [box.local]")
        + "tolerationSeconds: 5\n"
    )
    box.agent_config.write_text(box.agent_config.read_text() + "startSeconds: 2.5\n")
    prepare(tmp_path / "box", None, 8443, None)
    reconciler, agent = load_config(box.reconciler_config), load(box.agent_config, Simulation)
    assert reconciler.toleration_seconds == 5
    assert (reconciler.api.listen, reconciler.api.names) == ("0.0.0.0:8443", ("box.local",))
    assert (agent.nodes, agent.start_seconds) == (2, 2.5)


def test_what_was_set_for_simulated_nodes_is_nothing_to_a_real_one(tmp_path: Path) -> None:
    box = prepare(tmp_path / "box", None, None, 2)
    prepare(tmp_path / "box", None, None, 0)
    assert load_agent(box.agent_config).containerd == "own"


def test_a_real_node_is_not_left_behind_by_simulated_ones(tmp_path: Path) -> None:
    prepare(tmp_path / "box", None, None, 0)
    (tmp_path / "box" / "agent").mkdir()
    with pytest.raises(BadConfiguration, match="holds a real node: remove it first with `wherry down --data "):
        prepare(tmp_path / "box", None, None, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("api: [", "this is not YAML", id="no YAML"),
        pytest.param("api: {listen: here}", "api.listen: expected ADDRESS:PORT", id="no address"),
        pytest.param("tolerationSeconds: soon", "tolerationSeconds: Expected `int`, got `str`", id="no number"),
        pytest.param("speed: 3", "unknown field `speed`", id="unknown"),
    ],
)
def test_a_setting_that_cannot_be_used_is_said_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "box").mkdir()
    file = tmp_path / "box" / "reconciler.yaml"
    file.write_text(text)
    with pytest.raises(BadConfiguration, match=f"^{re.escape(str(file))}: .*{re.escape(said)}"):
        prepare(tmp_path / "box", None, None, 0)


def test_a_port_of_the_broker_that_was_taken_meanwhile_is_given_up(tmp_path: Path) -> None:
    box = prepare(tmp_path / "box", None, None, 0)
    before = load_agent(box.agent_config).broker.endpoint()
    with socket.socket() as other:
        other.bind(("127.0.0.1", before.port))
        other.listen()
        prepare(tmp_path / "box", None, None, None)
    after, reconciler = load_agent(box.agent_config).broker.endpoint(), load_config(box.reconciler_config)
    assert after.port != before.port
    assert reconciler.embedded_broker is not None
    assert reconciler.embedded_broker.listen == f"127.0.0.1:{after.port}"


def test_a_port_of_the_api_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        box = prepare(tmp_path / "box", None, other.getsockname()[1], 0)
        with pytest.raises(BadConfiguration, match="in use by another program: choose one with --port"):
            check_port(box)
    check_port(box)


def test_a_repository_takes_the_place_of_the_folder_and_what_was_added_to_it_stays(tmp_path: Path) -> None:
    git = {"git": "https://git.example/fleet.git", "branch": "main"}
    box = prepare(tmp_path / "box", None, 7443, 2, git)
    written = yaml.safe_load(box.reconciler_config.read_text())
    assert written["source"] == git
    assert "manifests" not in written
    assert facts(box)["manifests"] == "https://git.example/fleet.git"
    written["source"]["webhook"] = {"secretFile": "/etc/wherry/webhook.secret"}
    box.reconciler_config.write_text(yaml.safe_dump(written, sort_keys=False))
    prepare(tmp_path / "box", None, None, None)
    prepare(tmp_path / "box", None, None, None, {"git": git["git"], "path": "quay"})
    source = yaml.safe_load(box.reconciler_config.read_text())["source"]
    assert source == git | {"path": "quay", "webhook": {"secretFile": "/etc/wherry/webhook.secret"}}
    other = {"git": "https://git.example/other.git"}
    prepare(tmp_path / "box", None, None, None, other)
    assert yaml.safe_load(box.reconciler_config.read_text())["source"] == other


def test_a_folder_that_is_named_takes_the_place_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    box = prepare(tmp_path / "box", None, 7443, 2, {"git": "https://git.example/fleet.git"})
    prepare(tmp_path / "box", tmp_path / "m", None, None)
    assert load_config(box.reconciler_config).origin.folder == tmp_path / "m"


def test_a_repository_that_cannot_be_one_leaves_the_settings_as_they_were(tmp_path: Path) -> None:
    box = prepare(tmp_path / "box", None, 7443, 2)
    before = box.reconciler_config.read_text()
    with pytest.raises(BadConfiguration, match=r"source\.git: manifests are not fetched over http"):
        prepare(tmp_path / "box", None, None, None, {"git": "http://git.example/fleet.git"})
    assert box.reconciler_config.read_text() == before
