"""What the folder declares, over time: the last good declaration of each object, and which file holds it.

Pure and incremental: a pass costs what changed. The state after any history of edits is that of the last good
version of each declared object. Of two documents of one object the holder keeps it: the one that was known first,
after a start the one that the object says it came from, else the first by file and line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from reconciler.manifests.documents import Claim, FileState, SourceFault
from schemas.meta import Ref


class Declared(msgspec.Struct, frozen=True):
    """The declaration that an object follows. `data` is its JSON as written."""

    ref: Ref
    file: str
    line: int
    data: bytes
    depends_line: int = 0


class Ledger:
    """Takes in the files as they change, and says for each object what it shall follow."""

    def __init__(self) -> None:
        self.files: dict[str, FileState] = {}
        self.declared: dict[Ref, Declared] = {}
        self.duplicates: dict[Ref, tuple[SourceFault, ...]] = {}
        self._claims: dict[Ref, dict[str, list[Claim]]] = {}
        self._hiding: dict[str, FileState] = {}
        self._kept: set[Ref] = set()
        self._outlasting: dict[Ref, Declared] = {}

    def take(self, changed: Mapping[str, FileState | None], source_of: Callable[[Ref], str]) -> set[Ref]:
        """Takes the new states (None: the file has gone), and returns the objects that may follow another one.

        `source_of` is where an object says that it came from, for one that has no holder yet.
        """
        touched = self.unsettled()
        for file, state in changed.items():
            touched |= self.replace(file, state)
        for ref in touched:
            self.settle(ref, source_of)
        return touched

    def unsettled(self) -> set[Ref]:
        """Objects that only a broken file keeps: to be settled again whenever any file changes."""
        return set(self._kept)

    def restore(self, declared: Iterable[Declared]) -> None:
        """Remembers last good declarations from before a restart. They hold as far as the files bear them out."""
        for one in declared:
            self.declared[one.ref] = self._outlasting[one.ref] = one
            self._kept.add(one.ref)

    def forget(self, refs: Iterable[Ref]) -> None:
        """Drops last good declarations, as if they had never been."""
        for ref in refs:
            for known in (self.declared, self._outlasting):
                known.pop(ref, None)
            self._kept.discard(ref)

    def last_good(self) -> tuple[Declared, ...]:
        """The declarations that hold although no file says them any more, or not without a fault."""
        return tuple(self._outlasting.values())

    def is_outlasting(self, ref: Ref) -> bool:
        """Whether the object follows such a declaration: what its file says by now cannot be told."""
        return ref in self._outlasting

    def never_good(self) -> Iterator[tuple[Ref, str, int]]:
        """Objects that files name, and of which no sound declaration was ever seen; with file and line."""
        for ref, files in self._claims.items():
            if ref not in self.declared:
                file = min(files)
                yield ref, file, files[file][0].line

    def is_claimed(self, ref: Ref) -> bool:
        """Whether a file names the object, be its document good or broken."""
        return ref in self._claims

    def hidden_in(self, ref: Ref, last_file: str) -> str | None:
        """The broken file that may still hold the object, unseen: it held it last, or mentions its name."""
        known = self.declared.get(ref)
        last = known.file if known else last_file
        for file, state in self._hiding.items():
            if last == file or last.startswith(f"{file}/") or ref.name in state.mentions:
                return file
        return None

    def replace(self, file: str, new: FileState | None) -> set[Ref]:
        """The first half of `take`. Returns the objects that have to be settled once all files are replaced."""
        old = self.files.pop(file, None)
        self._hiding.pop(file, None)
        touched = {claim.ref for state in (old, new) if state for claim in state.claims}
        for claim in old.claims if old else ():
            if files := self._claims.get(claim.ref):
                files.pop(file, None)
                if not files:
                    del self._claims[claim.ref]
        if new is None:
            return touched
        self.files[file] = new
        if new.hides:
            self._hiding[file] = new
        for claim in new.claims:
            self._claims.setdefault(claim.ref, {}).setdefault(file, []).append(claim)
        return touched

    def settle(self, ref: Ref, source_of: Callable[[Ref], str]) -> None:
        """The second half of `take`, for one object."""
        self._settle(ref, source_of)
        self._outlasting.pop(ref, None)
        if (one := self.declared.get(ref)) is not None:
            claims = self._claims.get(ref, {}).get(one.file, ())
            if all(claim.data != one.data for claim in claims):
                self._outlasting[ref] = one

    def _settle(self, ref: Ref, source_of: Callable[[Ref], str]) -> None:
        self.duplicates.pop(ref, None)
        self._kept.discard(ref)
        before = self.declared.get(ref)
        claims = self._claims.get(ref)
        if not claims:
            if before is not None and self.hidden_in(ref, before.file) is not None:
                self._kept.add(ref)
            else:
                self.declared.pop(ref, None)
            return
        file = before.file if before else source_of(ref)
        holder = file if file in claims else min(claims)
        claim = claims[holder][0]
        if claim.data is not None:
            self.declared[ref] = Declared(ref, holder, claim.line, claim.data, claim.depends_line)
        others = [(file, one) for file in sorted(claims) for one in claims[file] if one is not claim]
        if others:
            self.duplicates[ref] = tuple(_duplicate(ref, file, one, holder, claim) for file, one in others)


def overlaid(before: FileState, after: FileState) -> FileState:
    """One state that leaves the same declarations behind as these two of one file, one after the other.

    It stands in for versions that a later one has overwritten: their faults are of no interest any more.
    """
    good: dict[Ref, Claim] = {}
    for claim in before.claims:
        good.setdefault(claim.ref, claim)
    claims: dict[Ref, Claim] = {}
    for claim in after.claims:
        if claim.data is not None or (claim.ref not in good and before.hides):
            claims.setdefault(claim.ref, claim)
        elif claim.ref in good:
            claims.setdefault(claim.ref, good[claim.ref])
    kept = good if after.hides else {}
    return FileState(claims=tuple((kept | claims).values()), hides=before.hides and after.hides)


def _duplicate(ref: Ref, file: str, claim: Claim, holder: str, held: Claim) -> SourceFault:
    message = f"{ref} is declared in {holder}:{held.line} already, which holds; take one of the two out"
    return SourceFault(file, claim.line, f"{ref.kind}/{ref.name}", "", message)
