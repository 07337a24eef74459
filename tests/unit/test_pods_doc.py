"""What docs/pods.md shows is what is taken."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodeagent.config import load_config
from nodeagent.devices.declared import DeviceResource
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.support import unsupported
from schemas.sysctls import SAFE
from schemas.validation import validate

TEXT = (Path(__file__).parents[2] / "docs" / "pods.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
SETTINGS = [text for text in BLOCKS if "broker:" in text]
MANIFESTS: list[dict[str, Any]] = [yaml.safe_load(text) for text in BLOCKS if text not in SETTINGS]


@pytest.mark.parametrize("document", MANIFESTS, ids=[one["metadata"]["name"] for one in MANIFESTS])
def test_every_manifest_is_taken(document: dict[str, Any]) -> None:
    document["metadata"]["namespace"] = "default"
    decoded = decode(BY_NAME[document["kind"]], document)
    assert decoded.faults == ()
    assert decoded.object is not None
    assert validate(defaulted(decoded.object)) == ()
    assert unsupported(decoded.object) == ()


@pytest.mark.parametrize("text", SETTINGS, ids=range(len(SETTINGS)))
def test_every_configuration_is_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nodeagent.yaml"
    path.write_text(text)
    assert load_config(path).devices or load_config(path).allowed_unsafe_sysctls


def test_every_field_of_a_device_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [a-z]", TEXT.partition("apiVersion")[0], re.MULTILINE)
    assert rows == [*DeviceResource.__struct_encode_fields__]


def test_the_figures_are_those_of_the_code() -> None:
    assert len(SAFE) == 12
    assert "twelve that Kubernetes holds for safe" in TEXT
