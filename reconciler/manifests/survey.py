"""Everything that some paths hold, read once and loaded: what a command works on that needs no server.

I/O, thin. A folder is walked and its files are loaded by what the daemon itself walks and loads with, so that the
two can never disagree; only that git may be at work is no matter here, for a hook of git is where people check.
"""

import gc
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from reconciler.manifests.documents import FileState, broken, load
from reconciler.manifests.folder import below, read_folder, read_unit
from reconciler.manifests.parse import MAX_BYTES, Problem, too_large
from reconciler.manifests.walk import Unreadable, Unsettled
from schemas.decode import FieldValidation

STDIN = "-"
MANY = 300
"""Files from which on a second process pays for its start."""


class NoSuchPath(Exception):
    """Somebody named what is not there."""


class _Job(msgspec.Struct, frozen=True):
    """One file to load. `name` is what people call it, by the path that they gave."""

    name: str
    place: str
    validation: FieldValidation


def survey(paths: Sequence[str], validation: FieldValidation = "Strict") -> dict[str, FileState]:
    """What each file says, by its name. Raises `NoSuchPath`."""
    found: dict[str, FileState] = {}
    jobs: dict[str, _Job] = {}
    for path in dict.fromkeys(paths):
        if path == STDIN:
            found["<stdin>"] = _loaded("<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1), validation)
        elif os.path.isdir(path):
            _walk(path, validation, jobs, found)
        elif os.path.exists(path):
            jobs.setdefault(os.path.realpath(path), _Job(os.path.normpath(path), path, validation))
        else:
            raise NoSuchPath(f"{path} does not exist; name files, folders, or {STDIN} for what is piped in")
    states = _in_one_process(jobs.values()) if len(jobs) < MANY else _in_several(list(jobs.values()))
    return found | states


def _walk(path: str, validation: FieldValidation, jobs: dict[str, _Job], found: dict[str, FileState]) -> None:
    try:
        folder = read_folder(Path(path), validation)
    except (Unreadable, Unsettled) as error:
        found[path] = broken(path, Problem(1, str(error)))
        return
    for file in folder.files:
        place = os.path.join(folder.root, file)
        jobs.setdefault(os.path.realpath(place), _Job(_name(path, file), place, validation))
    for file, problem in folder.problems.items():
        found[_name(path, file)] = broken(_name(path, file), problem)
    for file, state in folder.units.items():
        found[_name(path, file)] = below(path, state)


def _name(path: str, file: str) -> str:
    return os.path.normpath(os.path.join(path, file))


def _in_one_process(jobs: Iterable[_Job]) -> dict[str, FileState]:
    gc.disable()  # What is loaded stays, and holds no cycles: looking for them takes a third of the time.
    try:
        return {job.name: _load(job) for job in jobs}
    finally:
        gc.enable()


def _in_several(jobs: Sequence[_Job]) -> dict[str, FileState]:
    from concurrent.futures import ProcessPoolExecutor  # 3 MiB, for large folders alone

    workers = len(os.sched_getaffinity(0))
    if workers == 1:
        return _in_one_process(jobs)
    with ProcessPoolExecutor(workers, initializer=gc.disable) as pool:
        states = pool.map(_load, jobs, chunksize=max(1, min(50, len(jobs) // (4 * workers))))
        return dict(zip((job.name for job in jobs), states, strict=True))


def _load(job: _Job) -> FileState:
    try:
        if (state := read_unit(Path(job.place), job.validation)) is not None:
            return state
        found = os.stat(job.place)
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
            return broken(job.name, Problem(1, "this is no regular file; name one"))
        with open(job.place, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        return broken(job.name, Problem(1, f"cannot be read: {error.strerror}; mend it, or leave it out"))
    except Unsettled as error:
        return broken(job.name, Problem(1, str(error)))
    return _loaded(job.name, content, job.validation, max(found.st_size, len(content)))


def _loaded(name: str, content: bytes, validation: FieldValidation, size: int = 0) -> FileState:
    if len(content) > MAX_BYTES:
        return broken(name, too_large(size or len(content)))
    return load(name, content, validation)
