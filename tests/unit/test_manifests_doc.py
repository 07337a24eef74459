"""What docs/manifests.md shows of checking is what happens."""

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml

from reconciler import validate
from reconciler.cli import parser
from reconciler.manifests.survey import survey

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "manifests.md").read_text()
SECTION = TEXT.partition("## Checking before you push\n")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


def test_every_command_is_one() -> None:
    workflow = yaml.safe_load(blocks("yaml")[0])
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += [step["run"] for step in workflow["jobs"]["validate"]["steps"] if "run" in step]
    commands = [shlex.split(line)[shlex.split(line).index("wherry") + 1 :] for line in lines if "wherry " in line]
    assert len(commands) == 5
    for command in commands:
        assert parser().parse_args(command).paths


def test_the_faults_shown_are_those_that_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deploy").mkdir()
    Path("deploy/web.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replica: 2\n"
        "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n"
        "      containers:\n      - {name: web, image: nginx,\n"
        '         ports: [{name: http,\n         containerPort: "80"}]}\n'
    )
    report = validate.judge(survey(["deploy"]))
    assert validate.say(report, "text") == blocks("text")[0].strip()


def test_the_schemas_shown_exist_and_fit() -> None:
    modeline, *_ = blocks("yaml")[1].splitlines()
    named = [Path(modeline.partition("$schema=../wherry/")[2]), *map(Path, _mapped())]
    for path in named:
        schema = json.loads((ROOT / path).read_text())
        jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(blocks("yaml")[1]))


def _mapped() -> list[str]:
    settings = json.loads(blocks("json")[0])
    return [path.removeprefix("../wherry/") for path in settings["yaml.schemas"]]
