"""Real repositories, and a git source that follows one of them into a real cluster."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconciler.manifests.git.address import address
from reconciler.manifests.git.settings import GitSettings
from reconciler.manifests.git.sync import GitSync
from reconciler.store.cluster import Cluster
from schemas.core.event import Event
from tests.unit.reconciler.manifests.builders import now
from tests.unit.reconciler.running import running

AUTHOR = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Remote:
    """A repository with a work tree, that somebody pushes to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        return f"file://{self.directory}"

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), **AUTHOR}
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None], *options: str) -> str:
        """Writes the files (None: removes one), and commits them. Returns the commit."""
        for name, text in files.items():
            path = self.directory / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change", *options)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


class Follower:
    """A git source at work. Its time between rounds is short, and `look` makes it look at once."""

    def __init__(self, sync: GitSync, cluster: Cluster, directory: Path) -> None:
        self.sync, self.cluster, self.directory = sync, cluster, directory

    @property
    def commit(self) -> str:
        return self.sync.status.commit

    @property
    def error(self) -> str:
        return self.sync.status.error

    def read(self, file: str) -> str:
        return (self.sync.folder / file).read_text()

    def events(self, reason: str) -> list[str]:
        return [event.message for event in self.cluster.cache.list(Event) if event.reason == reason]

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    async def shows(self, commit: str) -> None:
        try:
            await self.until(lambda: self.commit == commit)
        except TimeoutError:
            raise AssertionError(f"{commit} is not shown: {self.sync.status}") from None

    async def says(self, text: str) -> None:
        try:
            await self.until(lambda: text in self.error)
        except TimeoutError:
            raise AssertionError(f"does not say {text!r}: {self.sync.status}") from None

    async def rounds(self, number: int = 2) -> None:
        """Waits until this many more rounds have asked the remote."""
        for _ in range(number):
            before = self.sync.status.asked
            await self.until(lambda: self.sync.status.asked != before)  # noqa: B023  # called in this round only

    def on_disk(self) -> dict[str, tuple[int, int]]:
        """All files of the source, with what changes when one is written."""
        found = {}
        for directory, names, files in os.walk(self.directory):
            for name in (*names, *files):
                path = os.path.join(directory, name)
                stat = os.lstat(path)
                found[path] = (stat.st_mtime_ns, stat.st_ino)
        return found


def settings(remote: Remote | str, **changes: Any) -> GitSettings:  # noqa: ANN401  # fields of the settings
    url = remote if isinstance(remote, str) else remote.url
    return replace(GitSettings(address=address(url), interval_seconds=0.05), **changes)


@asynccontextmanager
async def following(cluster: Cluster, directory: Path, chosen: GitSettings) -> AsyncIterator[Follower]:
    sync = GitSync(chosen, directory, cluster, clock=now)
    async with running(sync.run()):
        yield Follower(sync, cluster, directory)
