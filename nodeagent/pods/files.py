"""The small files of a pod on the node: its `/etc/hosts`, termination messages, logs, and its last status."""

import os
import shutil
from datetime import datetime
from pathlib import Path

import msgspec

from nodeagent.pods.actions import Failure
from nodeagent.pods.node import Directories
from nodeagent.runtime.interface import Container as Instance
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus

MAX_MESSAGE = 4096
MAX_LOG_MESSAGE = 2048
MAX_LOG_LINES = 80
MAX_RECORD = 1024 * 1024


def write_if_changed(path: Path, text: str) -> None:
    """In place, since containers hold the file itself mounted."""
    content = text.encode()
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)


def make_message_file(path: Path) -> None:
    """Empty, and writable for whatever user the container runs as."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    path.chmod(0o666)


def read_message(directories: Directories, pod: Pod, container: Container, instance: Instance) -> str:
    """What an ended container left to be said: its message file, or where that is empty the end of its log."""
    meta = pod.metadata
    try:
        with directories.termination_message(meta.uid, instance.name, instance.attempt).open("rb") as file:
            text = file.read(MAX_MESSAGE).decode(errors="replace")
    except OSError:
        text = ""  # a reboot has emptied the run directory; the message was told before it
    if text or container.termination_message_policy != "FallbackToLogsOnError" or instance.exit_code == 0:
        return text
    return _log_end(log_path(directories, pod, instance))


def log_path(directories: Directories, pod: Pod, instance: Instance) -> Path:
    return directories.pod_logs(pod) / instance.name / f"{instance.attempt}.log"


def _log_end(path: Path) -> str:
    """The last lines without what CRI writes before each: time, stream and whether the line is whole."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4 * MAX_LOG_MESSAGE))
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
    except OSError:
        return ""
    texts = [parts[3] for parts in (line.split(" ", 3) for line in lines[-MAX_LOG_LINES:]) if len(parts) == 4]
    return "".join(texts)[-MAX_LOG_MESSAGE:]


def remove_logs(directories: Directories, pod: Pod, name: str, attempt: int) -> None:
    folder = directories.pod_logs(pod) / name
    for path in folder.glob(f"{attempt}.log*"):
        path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


class Finished(msgspec.Struct, frozen=True):
    """A pod that has run to its end, so that no loss of the runtime's own memory makes it run again."""

    status: PodStatus
    at: datetime


def keep_failure(directories: Directories, uid: str, failure: Failure) -> None:
    """Before the pod is ended for it, so that an agent after this one does not start it again. Raises `OSError`."""
    path = directories.pod_data(uid) / "failure.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, msgspec.json.encode(failure))


def read_failure(directories: Directories, uid: str) -> Failure | None:
    try:
        with (directories.pod_data(uid) / "failure.json").open("rb") as file:
            return msgspec.json.decode(file.read(MAX_RECORD), type=Failure)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None  # as with the record of the end, what is broken counts for nothing


def _record(directories: Directories, uid: str) -> Path:
    return directories.pod_data(uid) / "finished.json"


def write_finished(directories: Directories, uid: str, finished: Finished) -> None:
    path = _record(directories, uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, msgspec.json.encode(finished))


def _write(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def read_finished(directories: Directories, uid: str) -> Finished | None:
    try:
        with _record(directories, uid).open("rb") as file:
            return msgspec.json.decode(file.read(MAX_RECORD), type=Finished)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError:
        return None  # broken by a power cut: the runtime's own memory of the containers decides
