"""`docs/compose.md`: generated, and its examples run."""

import re
import shlex
from pathlib import Path

import yaml

from reconciler.cli import parser
from reconciler.manifests.compose.__main__ import PAGE, page
from reconciler.manifests.compose.keys import KEYS
from tests.unit.reconciler.manifests.compose.folder import errors, project, warnings

ROOT = Path(__file__).parents[5]


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text() == page(), "run python -m reconciler.manifests.compose"


def test_its_commands_are_commands() -> None:
    for block in re.findall(r"```sh\n(.*?)```", page(), re.DOTALL):
        for line in block.splitlines():
            parser().parse_args(shlex.split(line)[1:])


def test_its_example_becomes_what_it_says() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", page(), re.DOTALL)
    converted = project(example, files={"nginx.conf": "events {}"})
    assert errors(converted) == [] == warnings(converted)
    assert {(one["kind"], one["metadata"]["name"]) for one in converted.documents} == {
        ("Deployment", "web"),
        ("Deployment", "api"),
        ("Service", "web"),
        ("Service", "api"),
        ("ConfigMap", "shop-nginx-conf"),
        ("PersistentVolumeClaim", "shop-cache"),
    }
    assert yaml.safe_load(example)["volumes"]["cache"]["x-wherry"]["size"] == "5Gi"


def test_no_key_is_there_twice_and_each_one_has_words_where_it_needs_them() -> None:
    assert len({key.path for key in KEYS}) == len(KEYS)
    assert all(key.text for key in KEYS if key.does != "carried")
