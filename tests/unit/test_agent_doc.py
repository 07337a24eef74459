"""What docs/agent.md and docs/troubleshooting.md show is what is taken."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from nodeagent.config import Config, load_config
from nodeagent.doctor import checks
from nodeagent.doctor.command import shown
from nodeagent.local import commands
from nodeagent.local.metrics import Seen, rendered
from nodeagent.machine.pressure import LOOK_SECONDS
from nodeagent.machine.ranking import CRITICAL_PRIORITY
from nodeagent.pods.logs import IN_MEMORY, LogLimits
from nodeagent.pods.node import logs_in_memory
from nodeagent.tallies import Tallies
from nodeagent.volumes.preparing import LOGS_BYTES
from schemas.core.pod import Pod
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.validation import validate
from tests.unit.nodeagent.doctor.test_checks import WELL
from tests.unit.nodeagent.local.test_tables import node

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "agent.md").read_text()
TROUBLES = (DOCS / "troubleshooting.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
SETTINGS = [text for text in BLOCKS if "broker:" in text]
COMMANDS = [
    line
    for text in (TEXT, TROUBLES)
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
]


def loaded(text: str, folder: Path) -> Config:
    path = folder / "nodeagent.yaml"
    path.write_text(text + "\nnode: n1\n")
    return load_config(path)


@pytest.mark.parametrize("text", SETTINGS, ids=range(len(SETTINGS)))
def test_every_configuration_is_one_and_says_something(text: str, tmp_path: Path) -> None:
    assert loaded(text, tmp_path) != loaded(yaml.safe_dump({"broker": yaml.safe_load(text)["broker"]}), tmp_path)


def test_the_thresholds_shown_are_the_defaults(tmp_path: Path) -> None:
    (text,) = [one for one in SETTINGS if "evictionHard" in one]
    written = yaml.safe_load(text)
    for name in ("evictionSoft", "evictionSoftGracePeriod", "evictionMinimumReclaim"):
        del written[name]
    plain = {"broker": written["broker"]}
    assert loaded(yaml.safe_dump(written), tmp_path).eviction() == loaded(yaml.safe_dump(plain), tmp_path).eviction()


def test_the_manifest_is_taken_and_has_its_effect() -> None:
    (text,) = [one for one in BLOCKS if one not in SETTINGS]
    document = yaml.safe_load(text)
    document["metadata"]["namespace"] = "default"
    decoded = decode(BY_NAME["Pod"], document)
    assert decoded.faults == ()
    assert isinstance(decoded.object, Pod)
    assert validate(defaulted(decoded.object)) == ()
    assert logs_in_memory(decoded.object)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, what, *rest = shlex.split(line)
    assert program == "nodeagent"
    if what in commands.NAMES:
        commands.parser().parse_args([what, *rest])
    else:
        assert what in ("doctor", "cleanup")


@pytest.mark.parametrize("name", commands.NAMES)
def test_every_command_has_a_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands.main([name, "--help"])
    assert ended.value.code == 0
    assert f"examples:\n  nodeagent {name}" in capsys.readouterr().out


def test_every_metric_named_is_told() -> None:
    text = rendered(node(), [], Tallies(), Seen()).decode()
    source = (Path(commands.__file__).parent / "metrics.py").read_text()
    names = re.findall(r"`([a-z_]+?)(?:\{[a-z_,]+\})?`", TEXT.partition("## Metrics")[2].partition("## Logs")[0])
    for name in names:
        if name.startswith(("wherry_", "kubelet_", "process_", "prober_")):
            stem = name.removesuffix("_total")
            assert stem in text or stem in source or stem.removeprefix("kubelet_") in source, name


def test_the_figures_are_those_of_the_code() -> None:
    assert LOOK_SECONDS == 10
    assert CRITICAL_PRIORITY == 2_000_000_000
    assert (LogLimits().max_bytes, LogLimits().max_files) == (10 * 1024**2, 3)
    assert (IN_MEMORY.max_bytes, IN_MEMORY.max_files, LOGS_BYTES) == (1024**2, 2, 64 * 1024**2)
    assert (checks.LITTLE_MEMORY, checks.FEW_FREE, checks.EARLIEST_YEAR) == (400 * 1024**2, 1024**3, 2025)


def test_every_check_of_the_doctor_is_told() -> None:
    told = re.findall(r"^\| `([^`]+)` \|", TROUBLES, re.MULTILINE)
    assert told == [one.check for one in checks.findings(WELL)]
    (example,) = re.findall(r"```\n(ok .*?)```", TROUBLES, re.DOTALL)
    for line in shown(checks.findings(WELL)).splitlines()[:2]:
        assert line in example


def test_every_link_leads_somewhere() -> None:
    for text in (TEXT, TROUBLES):
        for target, anchor in re.findall(r"\]\(([a-z]+\.md)(?:#([-a-z0-9]+))?\)", text):
            headings = re.findall(r"^#+ (.*)$", (DOCS / target).read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^-a-z0-9 ]", "", one.lower()).replace(" ", "-") for one in headings]
            assert not anchor or anchor in slugs, anchor
