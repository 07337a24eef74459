"""The steps of a round, done: what asks, fetches, verifies and checks out by means of the `git` program."""

import asyncio
import hashlib
import os
from typing import IO

from reconciler.manifests.git import answers, commands, rounds
from reconciler.manifests.git.answers import Remote, Trouble
from reconciler.manifests.git.checkouts import Places, fresh, replace
from reconciler.manifests.git.commands import Command
from reconciler.manifests.git.program import Done, Failed, hold, run
from reconciler.manifests.git.rounds import MOST_PACKS, Judgement, State, Step
from reconciler.manifests.git.settings import GitSettings, key_scheme

_MOST_KEYS = 1024 * 1024
_GPG = "batch\nno-autostart\nno-auto-key-retrieve\ndisable-dirmngr\ntrust-model always\n"


class Steps:
    """Of one source. Each raises `Failed` or `OSError`, and then leaves what is shown as it is."""

    def __init__(self, settings: GitSettings, places: Places) -> None:
        self._settings, self._places = settings, places
        self._environment = commands.environment(settings, places.directory, os.environ)
        self._held: IO[bytes] | None = None
        self._before = ""

    async def open(self) -> State | None:
        """Once in a life: takes the folder for this process. Returns what the life before showed; None: it is open."""
        if self._held is not None:
            return None
        places = self._places
        places.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = hold(places.directory / "lock")
        try:
            await asyncio.to_thread(self._put_in_order)
        except BaseException:
            held.close()
            raise
        self._held = held
        return State(shown=await self._shown())

    def close(self) -> None:
        if self._held is not None:
            self._held.close()

    def keys(self) -> str:
        """Changes with the listed keys; empty where nothing need be signed. Raises `Failed`."""
        content = self._keys()
        return "" if content is None else hashlib.blake2b(content, digest_size=8).hexdigest()

    async def take(self, state: State) -> State:
        """Does the step that is next, and returns what follows from it."""
        match state.step:
            case Step.REPAIR:
                await asyncio.to_thread(self._places.empty_repository)
                return rounds.repaired(state)
            case Step.ASK:
                return rounds.answered(state, await self._ask())
            case Step.FETCH:
                return rounds.fetched(state, await self._fetch())
            case Step.VERIFY:
                assert state.target is not None
                return rounds.judged(state, await self._verify(state.target, state.keys))
            case Step.CHECK_OUT:
                assert state.target is not None
                return await self._check_out(state, state.target)
            case Step.REST:
                return state

    async def clean_up(self) -> None:
        """After a step that failed: nothing of it stays on the disk. Raises `OSError`."""
        if self._held is not None:
            await asyncio.to_thread(self._places.sweep)
            await asyncio.to_thread(self._places.remove_others, {self._places.shown_checkout(), self._before})

    async def remove_old(self) -> None:
        """Removes all checkouts but the one that is shown. Raises `OSError`."""
        await asyncio.to_thread(self._places.remove_others, {self._places.shown_checkout()})

    # What a life begins with

    def _put_in_order(self) -> None:
        places = self._places
        replace(places.directory / "gitconfig", commands.configuration(self._settings))
        places.sweep()
        name, path = places.shown_checkout(), self._settings.path
        places.remove_others({name})
        if name and not places.leads_out(name, path):
            places.show(name, path)  # the path may be another one than in the life before

    async def _shown(self) -> Remote | None:
        commit, _, kind = self._places.shown_checkout().partition("-")
        if not commit or kind != self._kind:
            return None
        done = await self._run(commands.resolve(self._places.repository, commands.SHOWN))
        found = answers.resolved(done.output)
        return found if found and found.commit == commit else Remote(commit, commit)

    @property
    def _kind(self) -> str:
        """Tells checkouts apart that other settings would fill otherwise."""
        return "submodules" if self._settings.submodules else ""

    # The steps

    async def _ask(self) -> Remote:
        done = await self._must("the remote cannot be asked", commands.ask(self._settings, self._location()))
        found = answers.remote(done.output, self._settings.ref)
        if found is None:
            raise Failed(Trouble(answers.missing(self._settings.ref_name)))
        return found

    async def _fetch(self) -> Remote:
        repository, location = self._places.repository, self._location()
        await asyncio.to_thread(self._places.sweep)
        if not (repository / "HEAD").exists():
            await self._must("no repository can be made", commands.initialise(repository))
        command = commands.fetch(self._settings, repository, location, shallow=location == self._settings.address.url)
        await self._must("it cannot be fetched", command)
        done = await self._must("what was fetched is no commit", commands.resolve(repository, commands.FETCHED))
        found = answers.resolved(done.output)
        assert found is not None
        return found

    async def _verify(self, target: Remote, keys: str) -> Judgement:
        keys_file = self._settings.keys_file
        assert keys_file is not None
        scheme = key_scheme(self._keys() or b"")
        if scheme == "openpgp":
            home = fresh(self._places.directory / "gnupg")
            (home / "gpg.conf").write_text(_GPG)
            await self._must("the listed keys cannot be used", commands.import_keys(home, keys_file))
        is_tag = target.object != target.commit
        repository = self._places.repository
        done = await self._run(
            commands.verify(repository, target.object, is_tag=is_tag, scheme=scheme, keys_file=keys_file)
        )
        if done.code == 0 and (signer := answers.signer(done.errors)):
            return Judgement(target.object, keys, signer=signer)
        if answers.was_not_verified(done.errors):
            raise Failed(answers.trouble("its signature cannot be verified", done.errors))
        return Judgement(target.object, keys, reason=answers.refusal(done.errors))

    async def _check_out(self, state: State, target: Remote) -> State:
        places, path = self._places, self._settings.path
        name = f"{target.commit}-{self._kind}".rstrip("-")
        folder = places.checkouts / name
        if name != places.shown_checkout():
            await asyncio.to_thread(places.remove, name)
            await self._must("it cannot be checked out", commands.check_out(places.repository, target.commit, folder))
            if self._settings.submodules:
                command = commands.check_out_submodules(self._settings, folder)
                await self._must("a submodule cannot be checked out", command)
        if places.leads_out(name, path):
            reason = f"its {path} is a symlink that leaves the repository"
            return rounds.judged(state, Judgement(target.object, state.keys, reason=reason))
        await self._must("it cannot be written to disk", commands.write_out(folder))
        await self._must("it cannot be kept", commands.keep(places.repository, target.object))
        self._before = places.shown_checkout()
        await asyncio.to_thread(places.show, name, path)
        await self._tidy()
        return rounds.shown(state, "" if (folder / path).is_dir() else answers.no_folder(path, target.commit))

    async def _tidy(self) -> None:
        """Failing at it is no failure of what is shown by now: it is tried again after the next fetch."""
        if self._places.packs() > MOST_PACKS:
            await self._run(commands.tidy(self._places.repository))

    # git

    def _location(self) -> str:
        """A file that is a bundle is named by its path alone: git does not look for one behind `file://`."""
        address = self._settings.address
        return address.path if address.path and os.path.isfile(address.path) else address.url

    def _keys(self) -> bytes | None:
        path = self._settings.keys_file
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_KEYS)
            key_scheme(content)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Failed(Trouble(f"verify.keysFile: {path}: {why}; until then no other commit is taken")) from None
        return content

    async def _must(self, what: str, command: Command) -> Done:
        done = await self._run(command)
        if done.code != 0:
            raise Failed(answers.trouble(what, done.errors))
        return done

    async def _run(self, command: Command) -> Done:
        assert self._held is not None
        return await run(
            command, environment=self._environment, directory=self._places.directory, held=self._held.fileno()
        )
