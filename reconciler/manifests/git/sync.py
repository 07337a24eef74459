"""Follows a git repository: keeps the folder of manifests at the commit that the reference names.

Thin: `rounds` decides what comes next, `steps` does it.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from reconciler.manifests.git import rounds, webhook
from reconciler.manifests.git.answers import Trouble
from reconciler.manifests.git.checkouts import Places
from reconciler.manifests.git.commands import shown_ref
from reconciler.manifests.git.program import Failed
from reconciler.manifests.git.rounds import State, Step
from reconciler.manifests.git.settings import TRUNK, GitSettings
from reconciler.manifests.git.status import GitStatus
from reconciler.manifests.git.steps import Steps
from reconciler.store.changes import Emit
from reconciler.store.cluster import Cluster
from reconciler.store.interface import StoreError
from schemas.core.reference import ObjectReference

log = logging.getLogger(__name__)

COMPONENT = "wherry-git"
_READING_SECONDS = 10.0
"""Whoever reads a checkout when the next one is shown gets so long to finish."""
_SOURCE = ObjectReference(kind="Source", namespace="default", name="git")

Verdict = Literal["refused", "ignored", "taken"]


class GitSync:
    """One repository. `run` follows it until it is cancelled; `folder` is what it shows, from `ready` on.

    `directory` is ours alone.
    """

    def __init__(
        self,
        settings: GitSettings,
        directory: Path,
        cluster: Cluster,
        *,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.ready = asyncio.Event()
        """Set once there is a commit to be read, be it from before a restart."""
        self.folder = Places(directory.absolute()).shown
        """A symlink, to be watched."""
        self._places = Places(directory.absolute())
        self._steps = Steps(settings, self._places)
        self._settings, self._cluster, self._clock, self._chance = settings, cluster, clock, chance
        self._poked = asyncio.Event()
        self._state = State()
        self._shown_at = float("-inf")
        self.status = GitStatus(url=settings.address.url, ref=settings.ref_name, path=settings.path)

    def receive(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        """What a webhook brought. Raises `OSError` where the secret cannot be read."""
        path = self._settings.webhook_secret_file
        secret = path.read_bytes().strip() if path else b""
        if not secret or not webhook.is_genuine(headers, body, secret):
            return "refused"
        refs = f"refs/heads/{self._state.branch}" if self._settings.ref == TRUNK else self._settings.ref
        if not webhook.is_push_to(headers, body, refs):
            return "ignored"
        self._poked.set()
        return "taken"

    async def run(self) -> None:
        """Runs until it is cancelled."""
        time = asyncio.get_running_loop().time
        try:
            while True:
                began = time()
                self._poked.clear()
                await self._round()
                seconds = rounds.rest_seconds(self._state, self._settings.interval_seconds, self._chance())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._poked.wait()
                await asyncio.sleep(max(0.0, began + rounds.POKE_GAP_SECONDS - time()))
        finally:
            self._steps.close()

    async def _round(self) -> None:
        before = self._state.error
        try:
            if (opened := await self._steps.open()) is not None:
                self._state = opened
                self._show()
            await self._take()
        except (Failed, OSError) as error:
            trouble = error.trouble if isinstance(error, Failed) else Trouble(f"{self._places.directory}: {error}")
            self._state = rounds.failed(self._state, trouble)
            with contextlib.suppress(OSError):  # what failed before says it
                await self._steps.clean_up()
        self._show()
        if self._state.error != before:
            await self._tell(self._state.error)

    async def _take(self) -> None:
        if asyncio.get_running_loop().time() - self._shown_at > _READING_SECONDS:
            await self._steps.remove_old()
        self._state = rounds.begun(self._state, await asyncio.to_thread(self._steps.keys))
        while self._state.step is not Step.REST:
            asks = self._state.step is Step.ASK
            self._state = await self._steps.take(self._state)
            if asks:
                self.status = replace(self.status, asked=self._clock())

    def _show(self) -> None:
        """Brings the status to what is on the disk and in the state."""
        state, commit = self._state, self._places.shown_checkout().partition("-")[0]
        ref = shown_ref(self._settings, state.branch)
        if commit and commit != self.status.commit:
            log.info("git source shows commit=%s ref=%r url=%s", commit, ref, self._settings.address.url)
            self._shown_at = asyncio.get_running_loop().time()
            self.ready.set()
        self.status = replace(
            self.status,
            ref=ref,
            commit=commit,
            fetched=datetime.fromtimestamp(self.folder.lstat().st_mtime, UTC) if commit else None,
            error=state.error or state.note,
            signature=rounds.signature(state),
            failures=state.failures,
        )

    async def _tell(self, error: str) -> None:
        """Once for as long as it stays."""
        if not error:
            log.info("git source is well again url=%s", self._settings.address.url)
            return
        commit = self.status.commit
        log.warning(
            "git source failed url=%s error=%r in_force=%s", self._settings.address.url, error, commit or "none"
        )
        reason = "CommitRefused" if self._state.failures == 0 else "SourceFailed"
        try:
            await self._cluster.apply([Emit(_SOURCE, "Warning", reason, f"{self.status.url}: {error}", COMPONENT)])
        except StoreError as failure:
            log.warning("event not written reason=%s error=%r", reason, str(failure))
