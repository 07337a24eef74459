"""What docs/plan.md shows is what the command does."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from reconciler.cli import parser
from reconciler.plan.outcome import FieldChange, Forecast, ObjectChange, Pending, PodChange, Pull, Summary, Workload

ROOT = Path(__file__).parents[4]
TEXT = (ROOT / "docs" / "plan.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the files that the page shows, under the names that it gives them."""
    for block in blocks("yaml"):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(block)
    return tmp_path


def bash(place: Path, script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script as a person would, with this checkout's `wherry`."""
    program = place / "bin" / "wherry"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m reconciler "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(["bash", "-c", script], cwd=place, capture_output=True, text=True, timeout=120, env=settings)


def test_the_worked_example_prints_what_the_page_says(place: Path) -> None:
    (script,) = blocks("bash")
    done = bash(place, script)
    assert (done.returncode, done.stderr) == (10, "")
    (shown,) = blocks("text")
    assert done.stdout == shown


def test_the_workflow_plans_a_pull_request(place: Path) -> None:
    (script,) = blocks("bash")
    bash(place, script)
    bash(place, "git update-ref refs/remotes/origin/main main")
    workflow = yaml.safe_load((place / ".github" / "workflows" / "plan.yaml").read_text())
    (step,) = (one for one in workflow["jobs"]["plan"]["steps"] if one.get("name") == "Plan")
    run = step["run"].replace("${{ github.base_ref }}", "main")
    summary = place / "summary.md"
    done = bash(place, f"set -eo pipefail\n{run}", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr
    assert "**Objects: 1 changed. Pods: 2 start, 3 Pending.**" in summary.read_text()
    (place / "deploy" / "web.yaml").write_text("kind: [")
    assert bash(place, f"set -eo pipefail\n{run}", GITHUB_STEP_SUMMARY=str(summary)).returncode == 1


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_every_command_of_the_page_is_one(line: str) -> None:
    parser().parse_args(shlex.split(line)[1:])


def test_the_page_names_every_field_of_the_json() -> None:
    shown = (Forecast, Summary, ObjectChange, FieldChange, Workload, PodChange, Pending, Pull)
    names = {field.encode_name for type_ in shown for field in msgspec.structs.fields(type_)}
    assert {name for name in names if f"`{name}`" not in TEXT} == set()


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["plan", "--help"])
    said = capsys.readouterr().out
    assert "example:" in said
    assert "exit code: 0 no change, 10 changes" in said
