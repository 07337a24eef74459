"""What docs/workloads.md shows is what is taken."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from nodeagent.config import Config
from reconciler.controllers.horizontalpodautoscaler import PERIOD
from reconciler.controllers.loop import LONGEST_SLEEP
from reconciler.controllers.rollback import ROLLBACK
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.validation import validate

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "workloads.md").read_text()
MANIFESTS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("text", MANIFESTS, ids=[yaml.safe_load(text)["kind"] for text in MANIFESTS])
def test_every_manifest_is_taken(text: str) -> None:
    document = yaml.safe_load(text)
    document["metadata"].setdefault("namespace", "default")
    decoded = decode(BY_NAME[document["kind"]], document)
    assert decoded.faults == ()
    assert decoded.object is not None
    assert validate(defaulted(decoded.object)) == ()


def test_the_words_and_times_told_are_those_that_hold() -> None:
    (shown,) = [text for text in MANIFESTS if "rollback" in text]
    assert f"{ROLLBACK}: auto" in shown
    (reported,) = [field.default for field in msgspec.structs.fields(Config) if field.name == "metrics_seconds"]
    assert f"of the agent ({reported:g} s)" in TEXT
    assert f"looked at every {PERIOD:g} s" in TEXT
    assert LONGEST_SLEEP == 600, "ten minutes"


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", TEXT):
        assert (DOCS / target).exists(), target
