"""What docs/nodes.md shows is what is taken."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from reconciler.config import load_config
from reconciler.controllers import nodezones, rebalance
from schemas import maintenance, nodeloss
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.validation import validate

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "nodes.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
MANIFESTS, SETTINGS = BLOCKS[:-1], BLOCKS[-1]


@pytest.mark.parametrize("text", MANIFESTS, ids=[yaml.safe_load(text)["kind"] for text in MANIFESTS])
def test_every_manifest_is_taken(text: str) -> None:
    document = yaml.safe_load(text)
    document["metadata"].setdefault("namespace", "" if document["kind"] == "Node" else "default")
    decoded = decode(BY_NAME[document["kind"]], document)
    assert decoded.faults == ()
    assert decoded.object is not None
    assert validate(defaulted(decoded.object)) == ()


def test_every_window_is_one() -> None:
    windows = re.findall(r"^\| `([^`]+)` \| (?:every|five|once|both)", TEXT, re.MULTILINE)
    assert len(windows) == 5
    for written in windows:
        assert maintenance.open_or_next(maintenance.parse(written), datetime(2026, 1, 1, tzinfo=UTC)), written


def test_every_word_for_a_lost_node_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [a-z]", TEXT, re.MULTILINE)
    assert rows == [*nodeloss.OnNodeLoss]


def test_the_settings_shown_are_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.yaml"
    rest = "manifests: /srv/manifests\nbroker: {url: mqtt://localhost}\n"
    path.write_text(SETTINGS + rest)
    shown = load_config(path)
    path.write_text(rest)
    assert shown == load_config(path)


def test_the_figures_are_those_of_the_code() -> None:
    assert nodeloss.MARGIN == 5
    assert nodeloss.RENEWALS == 3
    assert (nodezones.BROKEN_SHARE, nodezones.FEW, nodezones.EVERY_SECONDS) == (0.55, 2, 10)
    assert (rebalance.STEADY.total_seconds(), rebalance.GAIN) == (30, 0.1)
