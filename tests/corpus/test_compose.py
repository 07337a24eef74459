"""Compose files that other people wrote: each is converted, or each fault names a key and a reason."""

import os
from collections import Counter
from pathlib import Path

import pytest

from reconciler.manifests.compose.paths import COMPOSE_FILES
from reconciler.manifests.compose.project import Converted, convert
from reconciler.manifests.compose.source import Source
from reconciler.manifests.documents import SourceFault


@pytest.fixture(scope="module")
def examples() -> Path:
    root = Path(os.environ.get("WHERRY_SHARED") or Path(__file__).parents[3] / "shared") / "corpus" / "awesome-compose"
    if not root.is_dir():
        pytest.skip(f"no corpus at {root}; set WHERRY_SHARED to the folder that holds corpus/")
    return root


@pytest.fixture(scope="module")
def converted(examples: Path) -> dict[str, Converted]:
    def read(name: str) -> bytes | None:
        path = examples / name
        return path.read_bytes() if path.is_file() else None

    def below(folder: str) -> list[str]:
        found = (examples / folder).rglob("*")
        return sorted(path.relative_to(examples).as_posix() for path in found if path.is_file())

    mains = [path for path in sorted(examples.rglob("*")) if path.name in COMPOSE_FILES]
    names = [path.relative_to(examples).as_posix() for path in mains]
    return {name: convert(name, Source(read, below)) for name in names}


def is_gap(fault: SourceFault) -> bool:
    """What Wherry itself does not do with a sound object yet: no matter of Compose."""
    return fault.message.startswith("not supported yet")


def test_every_example_is_converted_or_says_why_not(converted: dict[str, Converted]) -> None:
    counts: Counter[str] = Counter()
    for name, one in converted.items():
        faults = [fault for fault in one.state.faults if not is_gap(fault)]
        errors = [fault for fault in faults if fault.severity == "error"]
        counts["whole" if not errors else "in part" if one.documents else "not at all"] += 1
        counts["documents"] += len(one.documents)
        counts["warnings"] += len(faults) - len(errors)
        counts.update(f"error: {fault.field.rpartition('.')[2].partition('[')[0]}" for fault in errors)
        for fault in faults:
            assert fault.field, f"{name}: {fault}"
            assert fault.line > 0
            assert len(fault.message) > 20, f"{name}: {fault}"
    for what, count in sorted(counts.items()):
        print(f"{count:5} {what}")
    assert len(converted) == counts["whole"] + counts["in part"] + counts["not at all"] > 30


def test_what_is_converted_passes_the_checks_of_manifests(converted: dict[str, Converted]) -> None:
    """What is of Kubernetes in a fault begins with `spec` or `metadata`; those of Compose, with a key of the file."""
    for name, one in converted.items():
        wrong = [fault for fault in one.state.faults if fault.severity == "error" and not is_gap(fault)]
        assert [
            str(fault) for fault in wrong if not fault.field.startswith(("services", "volumes", "secrets"))
        ] == [], name


def test_only_images_that_are_to_be_built_and_files_that_are_not_there_stand_in_the_way(
    converted: dict[str, Converted],
) -> None:
    """The corpus holds the Compose files alone, not what lies beside them."""
    known = (
        "images are not built here",
        "is not in the folder",
        "is in a person's home",
        "is known inside the image only",
        "nodes run Linux, not wasi",
        "pods run on the node's default runtime",
        "nothing stands before the colon",
    )
    for one in converted.values():
        errors = [fault for fault in one.state.faults if fault.severity == "error" and not is_gap(fault)]
        assert [str(fault) for fault in errors if not any(words in fault.message for words in known)] == []
