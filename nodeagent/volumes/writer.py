"""Writes the files of a volume so that readers see all of the old content or all of the new.

The layout is the kubelet's, which programs have come to rely on: each file is a link to `..data/<file>`, `..data` is a
link to a directory of its own for each version, and a version is taken on by renaming one link over `..data`.
Killed at any instruction, the next `write` finishes the work. Nothing is written when the content is equal.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from nodeagent.volumes.plan import File

DATA = "..data"
_NEW_DATA = "..data_tmp"


def write(directory: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Returns whether anything changed. `group` owns the files and may read them (`fsGroup`)."""
    directory.mkdir(parents=True, exist_ok=True)
    current = _current(directory)
    changed = current is None or not _is_equal(directory / current, files, group)
    if changed:
        current = _write_version(directory, files, group)
        _link(directory, current)
    if changed or not _is_tidy(directory, files, str(current)):
        _tidy(directory, files, str(current))
        changed = True
    return changed


def _current(directory: Path) -> str | None:
    """The name of the version that holds now."""
    try:
        name = os.readlink(directory / DATA)
    except OSError:
        return None
    return name if (directory / name).is_dir() else None


def _is_equal(version: Path, files: Mapping[str, File], group: int | None) -> bool:
    found = {str(path.relative_to(version)) for path in version.rglob("*") if not path.is_dir()}
    return found == set(files) and all(_is_written(version / path, file, group) for path, file in files.items())


def _is_written(path: Path, file: File, group: int | None) -> bool:
    status = path.lstat()
    return (
        status.st_mode & 0o7777 == _mode(file, group)
        and (group is None or status.st_gid == group)
        and status.st_size == len(file.content)
        and path.read_bytes() == file.content
    )


def _mode(file: File, group: int | None) -> int:
    return file.mode if group is None else file.mode | 0o440


def _write_version(directory: Path, files: Mapping[str, File], group: int | None) -> str:
    stamp = datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.")
    version = Path(tempfile.mkdtemp(prefix=stamp, dir=directory))
    version.chmod(0o755)
    for path, file in files.items():
        target = version / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        if group is not None:
            os.chown(target, -1, group)
        target.chmod(_mode(file, group))
    return version.name


def _link(directory: Path, version: str) -> None:
    """Takes the version on. A crash before the rename leaves the old one in force."""
    new = directory / _NEW_DATA
    new.unlink(missing_ok=True)
    new.symlink_to(version)
    new.rename(directory / DATA)


def _names(files: Mapping[str, File]) -> set[str]:
    return {path.split("/")[0] for path in files}


def _is_tidy(directory: Path, files: Mapping[str, File], version: str) -> bool:
    return {entry.name for entry in os.scandir(directory)} == {*_names(files), DATA, version}


def _tidy(directory: Path, files: Mapping[str, File], version: str) -> None:
    """Links for new names first, then away with stale links and with versions that are over."""
    names = _names(files)
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for entry in list(os.scandir(directory)):
        if entry.name in names or entry.name in (DATA, version):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
