"""What the server answers to `wherry status`, `wherry diff` and `wherry history`, under `/wherry/v1/`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from reconciler.api.server import Answer
from reconciler.api.status import StatusError
from reconciler.differences import Difference, difference
from reconciler.manifests.breath import Breath
from reconciler.manifests.git.status import GitStatus
from reconciler.manifests.history import PREFIX, Description, Record, decoded
from reconciler.manifests.inspection import standings
from reconciler.manifests.standing import converge
from reconciler.manifests.sync import ManifestSync
from reconciler.overview import overview
from reconciler.store.interface import Store
from schemas.kinds import find
from schemas.meta import Ref

Query = Mapping[str, str]


class Answers:
    """`facts` are what else is said of the reconciler as a whole, `source` is how git fares, where it is followed."""

    def __init__(
        self,
        sync: ManifestSync,
        store: Store,
        facts: Callable[[], Mapping[str, Any]],
        source: Callable[[], GitStatus | None] = lambda: None,
    ) -> None:
        self._sync, self._store, self._facts, self._source = sync, store, facts, source

    @property
    def by_name(self) -> dict[str, Answer]:
        """As the server has them."""
        return {"status": self.status, "diff": self.diff, "history": self.history}

    async def status(self, query: Query) -> object:
        """With `objects=all` also how each single object stands."""
        sync, source = self._sync, self._source()
        status = sync.status
        found = await standings(sync.carrier)
        faults = any(fault.severity == "error" for fault in status.faults)
        waits_for_a_word = any(one.approvable for one in status.held_back)
        is_behind = bool(status.holding or (source and source.error))
        is_settled = status.last_pass is not None and not (faults or waits_for_a_word or is_behind)
        answer = {
            **self._facts(),
            "source": msgspec.to_builtins(source),
            "manifests": msgspec.to_builtins(status),
            "convergence": msgspec.to_builtins(converge(found, is_settled=is_settled)),
            "cluster": msgspec.to_builtins(overview(sync.carrier.view)),
        }
        if query.get("objects") == "all":
            answer["objects"] = [msgspec.to_builtins(one) for one in found]
        return answer

    async def diff(self, _: Query) -> object:
        """In what the cluster differs from the folder, and the faults of files, of which that cannot be told."""
        carrier, breath = self._sync.carrier, Breath()
        found = list[Difference]()
        for one in await standings(carrier):
            declared = carrier.ledger.declared.get(one.ref)
            if differs := difference(one, declared, carrier.view.find(one.ref), carrier.complete):
                found.append(differs)
            await breath.take()
        faults = [fault for fault in carrier.faults if fault.severity == "error"]
        return {
            "commit": carrier.commit,
            "holding": self._sync.status.holding,
            "differences": msgspec.to_builtins(found),
            "faults": msgspec.to_builtins(faults),
        }

    async def history(self, query: Query) -> object:
        """Newest first; with `object=KIND/NAME` (and `namespace`) only what changed that one."""
        history, only = self._sync.carrier.history, query.get("object", "")
        ref = named(only, query.get("namespace", "default")) if only else None
        found, breath = list[dict[str, Any]](), Breath()
        for entry in reversed(await self._store.list(PREFIX)):
            record = history.newest(entry.key) or decoded(entry.value)
            if record is not None and (told := _told(record, history.left(entry.key), ref)):
                found.append(told)
            await breath.take()
        return {"records": found}


def named(text: str, namespace: str) -> Ref:
    """The object that a person means. Raises `StatusError`."""
    word, _, place = text.partition("/")
    other, _, name = place.rpartition("/")
    kind = find(word)
    if kind is None or not name or "/" in other:
        raise StatusError(400, "BadRequest", f"{text!r} names no object: write KIND/NAME, or KIND/NAMESPACE/NAME")
    return Ref(kind.name, (other or namespace) if kind.namespaced else "", name)


def _told(record: Record, left: Sequence[Ref], only: Ref | None) -> dict[str, Any] | None:
    changes = [(ref, action) for ref, action in record.all_changes() if only in (None, ref)]
    if not changes:
        return None
    described = record.description or Description()
    state = "Converged" if record.converged else "Superseded" if record.is_superseded else "Progressing"
    return {
        "commit": record.commit,
        "author": described.author,
        "authored": described.authored,
        "subject": described.subject,
        "committed": record.committed,
        "converged": record.converged,
        "state": state,
        "waiting": [str(ref) for ref in left],
        "changes": [{"action": action, "object": str(ref), **ref._asdict()} for ref, action in changes],
    }
