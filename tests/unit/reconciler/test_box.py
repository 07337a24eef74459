"""`wherry up` prepares its folder, and prepares it the same way again."""

from pathlib import Path

import pytest
import yaml

from nodeagent.config import load_config as load_agent
from reconciler.box import Box, facts, prepare, stop
from reconciler.config import load_config
from schemas.configuration import BadConfiguration


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
    prepare(tmp_path / "box", None, None, 0)
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
