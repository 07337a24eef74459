import stat
from pathlib import Path

import pytest

from nodeagent.accepted import NOTHING_ACCEPTED, Accepted
from nodeagent.checkpoint import BODY, DAMAGED, EPOCH, INDEX, Checkpoint, Disk
from schemas.messages import Config, Digest
from tests.unit.nodeagent.test_accepted import body, config

SECRET = config("hidden")
OLD = Accepted(
    Digest("s", 1, {"a": 1, "b": 1}, {SECRET.key: SECRET.content_hash()}),
    {"a": body("a", 1), "b": body("b", 1)},
    {SECRET.key: SECRET},
)
OTHER: Config = config("other")
NEW = Accepted(
    Digest("t", 2, {"a": 2, "c": 1}, {OTHER.key: OTHER.content_hash()}),
    {"a": body("a", 2), "c": body("c", 1)},
    {OTHER.key: OTHER},
    superseded=("s",),
)


class PowerCut(Exception):
    pass


class FailingDisk(Disk):
    """Loses power at the operation of this number, in the midst of it if it writes."""

    def __init__(self, directory: Path, operations: int) -> None:
        super().__init__(directory)
        self.left = operations

    def _count(self) -> None:
        if self.left == 0:
            raise PowerCut
        self.left -= 1

    def write(self, name: str, content: bytes) -> None:
        if self.left == 0:
            super().write(name, content[: len(content) // 2])
        self._count()
        super().write(name, content)

    def rename(self, old: str, new: str) -> None:
        self._count()
        super().rename(old, new)

    def remove(self, name: str) -> None:
        self._count()
        super().remove(name)


def saved(directory: Path, state: Accepted) -> None:
    Checkpoint(directory).save(state, NOTHING_ACCEPTED)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path).load() == NOTHING_ACCEPTED
    saved(tmp_path, OLD)
    assert Checkpoint(tmp_path).load() == OLD


def test_only_what_differs_is_written_and_nothing_when_nothing_does(tmp_path: Path) -> None:
    saved(tmp_path, OLD)
    checkpoint = Checkpoint(tmp_path)
    held = checkpoint.load()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    checkpoint.save(OLD, held)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    bumped = Accepted(Digest("s", 2, OLD.digest.pods, OLD.digest.configs), OLD.pods, OLD.configs)
    checkpoint.save(bumped, held)
    changed = {path.name for path in tmp_path.iterdir() if before.get(path.name) != path.stat().st_mtime_ns}
    assert changed == {INDEX}


def test_a_power_cut_at_any_operation_leaves_the_old_state_or_the_new(tmp_path: Path) -> None:
    states = []
    for operations in range(50):
        directory = tmp_path / str(operations)
        saved(directory, OLD)
        disk = FailingDisk(directory, 1000)
        checkpoint = Checkpoint(directory, disk)
        held = checkpoint.load()
        disk.left = operations
        try:
            checkpoint.save(NEW, held)
        except PowerCut:
            found = Checkpoint(directory).load()
            assert found in (OLD, NEW)
            states.append(found)
            bodies = [path for path in directory.iterdir() if path.suffix == BODY]
            assert len(bodies) == len(found.pods) + len(found.configs)
        else:
            break
    assert Checkpoint(directory).load() == NEW
    assert OLD in states
    assert NEW in states


def test_a_save_that_failed_can_be_repeated(tmp_path: Path) -> None:
    disk = FailingDisk(tmp_path, 2)
    checkpoint = Checkpoint(tmp_path, disk)
    with pytest.raises(PowerCut):
        checkpoint.save(OLD, NOTHING_ACCEPTED)
    disk.left = 1000
    checkpoint.save(OLD, NOTHING_ACCEPTED)
    assert Checkpoint(tmp_path).load() == OLD


def test_secrets_are_readable_by_nobody_else(tmp_path: Path) -> None:
    directory = tmp_path / "checkpoint"
    saved(directory, OLD)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[1]"])
def test_a_damaged_index_is_set_aside_and_said(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    saved(tmp_path, OLD)
    (tmp_path / INDEX).write_bytes(damage)
    assert Checkpoint(tmp_path).load() == NOTHING_ACCEPTED
    assert (tmp_path / (INDEX + DAMAGED)).read_bytes() == damage
    assert INDEX in caplog.text


def test_a_damaged_body_is_left_out_and_written_again_when_it_comes(tmp_path: Path) -> None:
    saved(tmp_path, OLD)
    names = [path for path in tmp_path.iterdir() if b'"uid":"a"' in path.read_bytes() and path.suffix == BODY]
    names[0].write_bytes(names[0].read_bytes()[:-1])
    checkpoint = Checkpoint(tmp_path)
    held = checkpoint.load()
    assert (set(held.pods), held.complete) == ({"b"}, False)
    checkpoint.save(OLD, held)
    assert Checkpoint(tmp_path).load() == OLD


def test_epochs_grow_with_every_start_whatever_the_clock_says(tmp_path: Path) -> None:
    assert [Checkpoint(tmp_path).next_epoch(now) for now in (5, 3, 3, 9.5)] == [5, 6, 7, 9]
    (tmp_path / EPOCH).write_text("nonsense")
    assert Checkpoint(tmp_path).next_epoch(20) == 20


def test_an_agent_starts_on_a_disk_that_takes_no_epoch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Full(Disk):
        def write(self, name: str, content: bytes) -> None:
            raise OSError(28, "No space left on device")

    assert Checkpoint(tmp_path).next_epoch(5) == 5
    assert Checkpoint(tmp_path, Full(tmp_path)).next_epoch(7) == 7
    assert "the epoch of this start cannot be kept" in caplog.text
