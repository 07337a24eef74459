"""What the documentation shows is what the programs take."""

import os
import re
import shlex
from pathlib import Path

import pytest

from nodeagent.config import load_config as load_agent
from reconciler.cli import parser
from reconciler.config import load_config as load_reconciler
from reconciler.manifests.documents import load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("command", [c for c in commands() if c[0].endswith("wherry")], ids=" ".join)
def test_every_wherry_command_in_the_readme_is_one(command: list[str]) -> None:
    parser().parse_args(command[1:])


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {command[1] for command in commands() if command[0] == "make"} | set(re.findall(r"make ([a-z-]+)", README))
    assert named <= targets


def test_every_configuration_in_the_documentation_and_beside_the_units_loads(tmp_path: Path) -> None:
    networking = (ROOT / "docs" / "networking.md").read_text()
    files = {
        *blocks("yaml"),
        *re.findall(r"```yaml\n(.*?)```", networking, re.DOTALL),
        *((ROOT / "systemd" / name).read_text() for name in ("reconciler.yaml", "nodeagent.yaml")),
    }
    for number, text in enumerate(files):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        load = load_reconciler if "manifests:" in text else load_agent
        assert load(path).cluster == "default"


def test_every_program_that_make_starts_may_be_run() -> None:
    named = set(re.findall(r"^\t@(?:\./)?([\w/]+\.sh)", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named == {"setup.sh", "examples/demo.sh"}
    assert all(os.access(ROOT / one, os.X_OK) for one in (*named, "examples/images/build.sh"))


def test_every_link_in_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_command_has_a_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (
        "up",
        "down",
        "get",
        "status",
        "approve",
        "diff",
        "history",
        "explain-scheduling",
        "kubeconfig",
        "validate",
        "plan",
        "convert",
        "simulate",
    ):
        with pytest.raises(SystemExit):
            parser().parse_args([name, "--help"])
        assert "example:" in capsys.readouterr().out


def test_the_page_on_git_shows_what_the_programs_take(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "git.md").read_text()
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block if "broker:" in block else f"{block}broker: {{url: mqtt://localhost}}\n")
        assert load_reconciler(path).origin.git
    shown = re.findall(r"^wherry (.*)$", text, re.MULTILINE)
    assert shown
    for command in shown:
        parser().parse_args(shlex.split(command))


def test_the_page_on_manifests_shows_what_the_programs_take() -> None:
    text = (ROOT / "docs" / "manifests.md").read_text()
    shown = re.findall(r"^wherry (.*)$", text, re.MULTILINE)
    assert shown
    for command in shown:
        parser().parse_args(shlex.split(command))
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)):
        if "kind:" in block:
            found = load(f"{number}.yaml", block.encode())
            assert found.claims
            assert not [str(fault) for fault in found.faults if fault.severity == "error"]


def test_the_page_on_access_shows_what_the_programs_take(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "access.md").read_text()
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        if "kind:" not in block:
            load_reconciler(path)
            continue
        found = load(path.name, block.encode())
        assert found.claims
        assert not found.faults
    for command in re.findall(r"^wherry (.*)$", text, re.MULTILINE):
        parser().parse_args(shlex.split(command))


def test_the_configuration_in_the_page_on_the_api_loads(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
    (tmp_path / "reconciler.yaml").write_text(text)
    assert load_reconciler(tmp_path / "reconciler.yaml").service_cidr == "10.96.0.0/16"
    (tmp_path / "reconciler.yaml").write_text(text.replace("10.96.0.0/16", '"10.96.0.0/16,fd00:96::/112"'))
    assert load_reconciler(tmp_path / "reconciler.yaml").service_cidr.endswith("fd00:96::/112")
