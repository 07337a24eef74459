"""Which pods a claim is a volume of: found by its name, not by looking at all pods.

Names alone are held, and only of pods that have claims. Pure but for what it holds.
"""

from collections.abc import Iterable

from schemas.core.pod import Pod
from schemas.podclaims import claim_names


class Claimants:
    """The names of pods by namespace and claim."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], set[str]] = {}

    def put(self, new: Pod, old: Pod | None) -> None:
        """Takes in a new version of what was `old`."""
        if old is not None:
            if old.spec.volumes == new.spec.volumes:
                return
            self.drop(old)
        for name in claim_names(new):
            self._names.setdefault((new.metadata.namespace, name), set()).add(new.metadata.name)

    def drop(self, old: Pod) -> None:
        for name in {*claim_names(old)}:
            there = self._names[old.metadata.namespace, name]
            there.discard(old.metadata.name)
            if not there:
                del self._names[old.metadata.namespace, name]

    def of(self, namespace: str, claim: str) -> Iterable[str]:
        return self._names.get((namespace, claim), ())
