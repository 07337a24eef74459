import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests import versions as module
from reconciler.manifests.documents import load
from reconciler.manifests.ledger import Ledger
from reconciler.manifests.parse import MAX_BYTES
from reconciler.manifests.versions import Versions, left_by
from tests.unit.reconciler.manifests.builders import config_map

FILE = "a.yaml"


def seen(versions: Versions, path: Path, *texts: str) -> None:
    """The watching thread sees each of these finished, whole."""
    for text in texts:
        path.write_text(text)
        versions.read(str(path))
        versions.confirm()


def test_each_version_is_held_once_in_order_until_it_is_taken(tmp_path: Path) -> None:
    versions, path = Versions(), tmp_path / FILE
    seen(versions, path, "1", "2", "2", "1")
    path.write_text("3")
    assert versions.take(str(path)) == ([b"1", b"2", b"1"], b"3")
    assert versions.take(str(path)) == ([], b"3")
    assert versions.held == 0


def test_what_may_have_been_read_while_it_was_written_does_not_count(tmp_path: Path) -> None:
    versions, path = Versions(), tmp_path / FILE
    path.write_text("half")
    versions.read(str(path))
    versions.doubt(str(path))
    versions.confirm()
    versions.read(str(path))
    versions.doubt_all()
    versions.confirm()
    assert versions.paths() == frozenset()


def test_a_version_read_before_a_look_is_never_held_as_one_after_it(tmp_path: Path) -> None:
    versions, path = Versions(), tmp_path / FILE
    path.write_text("1")
    versions.read(str(path))
    path.write_text("2")
    assert versions.take(str(path)) == ([], b"2")
    versions.confirm()
    assert versions.paths() == frozenset()


def test_versions_of_a_look_that_came_to_nothing_stay_before_those_since(tmp_path: Path) -> None:
    versions, path = Versions(), tmp_path / FILE
    seen(versions, path, "1", "2")
    taken, _ = versions.take(str(path))
    seen(versions, path, "3")
    versions.put_back(str(path), taken)
    assert versions.take(str(path))[0] == [b"1", b"2", b"3"]


def test_no_more_than_a_bound_is_held_and_the_oldest_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 4)
    versions, path, other = Versions(), tmp_path / FILE, tmp_path / "b.yaml"
    seen(versions, path, "11", "22")
    seen(versions, other, "33")
    assert versions.held == 4
    assert versions.take(str(path))[0] == [b"22"]
    assert versions.take(str(other))[0] == [b"33"]


def test_only_regular_files_of_the_folder_with_something_in_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link.yaml").symlink_to("secret")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "empty.yaml").touch()
    with open(tmp_path / "large.yaml", "wb") as large:
        large.truncate(MAX_BYTES + 1)
    versions = Versions()
    for name in ("link.yaml", "pipe.yaml", "empty.yaml", "large.yaml", "gone.yaml"):
        versions.read(str(tmp_path / name))
    versions.confirm()
    assert versions.paths() == frozenset()


# What versions leave behind

DOCUMENT = st.sampled_from(["good", "spoilt", "misspelt", "absent"])
VERSION = st.one_of(st.just("kind: ["), st.just("a: 1\n"), st.tuples(DOCUMENT, DOCUMENT))


def text_of(version: str | tuple[str, str], step: int) -> str:
    if isinstance(version, str):
        return version
    written: dict[str, Callable[[str], str]] = {
        "good": lambda name: config_map(name, str(step)),
        "spoilt": lambda name: config_map(name, str(step)) + "oops: 1\n",
        "misspelt": lambda name: config_map(name, str(step)).replace("ConfigMap", "ConfigMop"),
        "absent": lambda _: "",
    }
    return "---\n".join(written[how](name) for how, name in zip(version, "xy", strict=True))


def values(ledger: Ledger) -> dict[str, str]:
    return {ref.name: msgspec.json.decode(one.data)["data"]["value"] for ref, one in ledger.declared.items()}


@given(st.lists(st.tuples(VERSION, st.booleans()), min_size=1, max_size=14))
@settings(max_examples=200, deadline=None)
def test_however_versions_are_gathered_into_passes_the_last_good_one_of_each_object_wins(
    history: list[tuple[str | tuple[str, str], bool]],
) -> None:
    alone, gathered, waiting = Ledger(), Ledger(), list[bytes]()
    for step, (version, ends_here) in enumerate(history):
        content = text_of(version, step).encode()
        state = load(FILE, content)
        alone.take({FILE: state}, lambda _: "")
        if not ends_here and step < len(history) - 1:
            waiting.append(content)
            continue
        if not state.is_sound and (left := left_by(FILE, waiting)) is not None:
            gathered.take({FILE: left}, lambda _: "")
        gathered.take({FILE: state}, lambda _: "")
        waiting.clear()
        assert values(gathered) == values(alone)


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_last_sound_version_of_a_file_is_what_holds(sound: list[bool], starts_known: bool) -> None:
    ledger, texts = Ledger(), [config_map("x", str(step)) if good else "a: [" for step, good in enumerate(sound)]
    if starts_known:
        ledger.take({FILE: load(FILE, config_map("x", "known").encode())}, lambda _: "")
    if (left := left_by(FILE, [text.encode() for text in texts])) is not None:
        ledger.take({FILE: left}, lambda _: "")
    ledger.take({FILE: load(FILE, b"a: [")}, lambda _: "")
    last = [str(step) for step, good in enumerate(sound) if good][-1:] or (["known"] if starts_known else [])
    assert list(values(ledger).values()) == last
