"""What the server answers to `wherry status`, `wherry diff` and `wherry history`, under `/wherry/v1/`."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from reconciler.differences import Difference, difference
from reconciler.manifests.breath import Breath
from reconciler.manifests.git.status import GitStatus
from reconciler.manifests.inspection import standings
from reconciler.manifests.standing import converge
from reconciler.manifests.sync import ManifestSync
from reconciler.overview import overview

Query = Mapping[str, str]


class Answers:
    """`facts` are what else is said of the reconciler as a whole, `source` is there where git is followed."""

    def __init__(
        self, sync: ManifestSync, facts: Callable[[], Mapping[str, Any]], source: Callable[[], GitStatus] | None = None
    ) -> None:
        self._sync, self._facts, self._source = sync, facts, source

    async def status(self, query: Query) -> object:
        """With `objects=all` also how each single object stands."""
        sync, source = self._sync, self._source() if self._source else None
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
