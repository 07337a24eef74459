"""The tests that docs/networking.md names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "networking.md").read_text()
NAMES = ROOT / "tests/unit/nodeagent/network/dns"
"""Where a test is that is named without a file, or with a file's name alone."""


def test_files_and_tests_of_the_tables_are_there() -> None:
    files = set(re.findall(r"`(tests/[\w/]+\.py)", TEXT))
    assert files
    assert [one for one in sorted(files) if not (ROOT / one).exists()] == []
    named = re.findall(r"`(?:([\w/]+\.py)::)?(test_\w+)`", TEXT)
    assert named
    for file, test in named:
        path = ROOT / file if file.startswith("tests/") else NAMES / (file or "test_zone.py")
        assert f"def {test}(" in path.read_text(), f"{path} has no {test}"


def test_the_benchmarks_that_are_named_are_there() -> None:
    modules = re.findall(r"`python -m (tests\.benchmarks\.\w+)`", TEXT)
    assert modules
    assert all((ROOT / f"{one.replace('.', '/')}.py").exists() for one in modules)
