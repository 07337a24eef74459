"""The units of a folder over time: which there are, and what each declares; built only when an input changed.

I/O, thin: what is a unit is decided in `units`. Belongs to one `Source`, and is used by one thread at a time.
"""

import os
import time
from collections.abc import Iterable, Mapping
from posixpath import basename

import msgspec

from reconciler.manifests import rendering
from reconciler.manifests.building import build
from reconciler.manifests.documents import FileState, broken
from reconciler.manifests.helm import RELEASE, Release, read_release
from reconciler.manifests.inputs import (
    ABSENT,
    Disk,
    Inputs,
    InputWatch,
    Refused,
    combined,
    digest_of,
    place_of,
    watch_input,
)
from reconciler.manifests.kustomize import KUSTOMIZATIONS, Kustomization, read_kustomization
from reconciler.manifests.parse import Problem
from reconciler.manifests.units import Form, Layout, Unit, layout
from reconciler.manifests.walk import Signature, Unsettled, shown
from schemas.decode import FieldValidation

EMPTY_SECONDS = 0.1
"""How long a file has to be empty before it is taken to be so on purpose."""
PASS_SECONDS = 120.0
"""For building all units of one look. What is left then waits for the next one, so that the rest is taken in."""
_EMPTY = digest_of(b"")


class Known(msgspec.Struct, frozen=True):
    """What is known of a file: the hash of its content, and its signature where that can be trusted.

    Of a unit, that of all its inputs, and these with their hashes.
    """

    digest: bytes
    signature: Signature | None = None
    inputs: dict[str, bytes] = {}


class Found(msgspec.Struct):
    """Units at one look. `changed` were built now, `parts` are files of units that are no manifests of their own."""

    mains: set[str] = set()
    changed: dict[str, FileState] = {}
    known: dict[str, Known] = {}
    failed: dict[str, Known] = {}
    parts: set[str] = set()
    is_early: bool = False


class Projects:
    def __init__(self, validation: FieldValidation) -> None:
        self.disk = Disk()
        self.failed: dict[str, Known] = {}
        """Units that could not be built for a reason that lies not in their files: not remembered over a restart."""
        self._validation = validation
        self._parsed: dict[str, tuple[bytes, Kustomization]] = {}

    def layout(self, root: str, markers: Iterable[str]) -> Layout:
        """What of the folder is read as one."""
        kustomizations, charts = dict[str, Kustomization](), dict[str, str]()
        for path in markers:
            name = basename(path)
            if name in KUSTOMIZATIONS:
                kustomizations[path] = self._kustomization(path, place_of(root, path))
            elif name == RELEASE:
                release = read_release(path, self._content(place_of(root, path)))
                if isinstance(release, Release):
                    charts[path] = release.chart
        return layout(markers, kustomizations, charts)

    def look(
        self, root: str, watch: InputWatch, units: Iterable[Unit], known: Mapping[str, Known], writing: frozenset[str]
    ) -> Found:
        """Builds the units whose inputs changed. Raises `Unsettled` where they change meanwhile."""
        found, salt, until = Found(), "", time.monotonic() + PASS_SECONDS
        for unit in units:
            salt = salt or f"{self._validation} {rendering.programs()}"
            before = known.get(unit.main) or self.failed.get(unit.main)
            if before is None or not self._stays(root, watch, unit, before, salt, writing, found):
                left = until - time.monotonic()
                self._build(unit, Inputs(root, self.disk, watch), salt, left, writing, found, before)
            after = found.known.get(unit.main) or found.failed.get(unit.main)
            if unit.form in (Form.COMPOSE, Form.RELEASE) and after is not None:
                found.parts.update(path for path, digest in after.inputs.items() if digest != ABSENT)
        return found

    def settle(self, root: str, found: Found) -> None:
        """Takes over what a look found that came to its end."""
        self.failed = found.failed
        inputs = (path for some in (found.known, found.failed) for one in some.values() for path in one.inputs)
        self.disk.forget_all_but(place_of(root, path) for path in (*inputs, *self._parsed))

    def _stays(
        self,
        root: str,
        watch: InputWatch,
        unit: Unit,
        before: Known,
        salt: str,
        writing: frozenset[str],
        found: Found,
    ) -> bool:
        """Whether the unit is as before, or is taken to be so for now."""
        places = {path: place_of(root, path) for path in before.inputs}
        for place in places.values():
            watch_input(watch, place)
        now = {path: self.disk.digest(place) for path, place in places.items()}
        changed = [path for path, digest in before.inputs.items() if now[path] != digest]
        is_same = not changed and combined(now, salt) == before.digest
        is_early = any(now[path] == _EMPTY and _is_young(places[path]) for path in changed)
        if not is_same and not is_early and not writing & {places[path] for path in changed}:
            return False
        found.is_early |= is_early
        self._keep(unit, before, found)
        return True

    def _keep(self, unit: Unit, before: Known, found: Found) -> None:
        found.mains.add(unit.main)
        (found.failed if unit.main in self.failed else found.known)[unit.main] = before

    def _build(
        self,
        unit: Unit,
        inputs: Inputs,
        salt: str,
        left: float,
        writing: frozenset[str],
        found: Found,
        before: Known | None,
    ) -> None:
        if left <= 0:
            self._put_off(unit, found, before)
            return
        built = build(unit, inputs, self._validation, min(left, rendering.SECONDS))
        if writing & {inputs.place(path) for path in inputs.used}:
            if before is not None:
                self._keep(unit, before, found)
            return
        self._check(unit, inputs)
        after = Known(combined(inputs.used, salt), None, dict(inputs.used))
        found.mains.add(unit.main)
        found.changed[unit.main] = built.state
        (found.known if built.is_final else found.failed)[unit.main] = after

    def _put_off(self, unit: Unit, found: Found, before: Known | None) -> None:
        """Until the next look, which is asked for."""
        found.is_early = True
        if before is not None:
            self._keep(unit, before, found)
            return
        words = f"not built yet: others took more than {PASS_SECONDS:.0f} s; it is tried again"
        found.mains.add(unit.main)
        found.changed[unit.main] = broken(unit.main, Problem(1, words))
        found.failed[unit.main] = Known(b"")

    def _check(self, unit: Unit, inputs: Inputs) -> None:
        """Whether what was built is of one moment."""
        for path, digest in inputs.used.items():
            if self.disk.digest(inputs.place(path)) != digest:
                raise Unsettled(f"{shown(path)} changed while {unit.main} was built")

    def _kustomization(self, path: str, place: str) -> Kustomization:
        digest = self.disk.digest(place)
        before = self._parsed.get(path)
        if before is None or before[0] != digest:
            before = self._parsed[path] = digest, read_kustomization(self._content(place))
        return before[1]

    def _content(self, place: str) -> bytes:
        try:
            return self.disk.read(place) or b""
        except Refused:
            return b""  # why is said by whoever builds it


def _is_young(place: str) -> bool:
    try:
        age = time.time() - os.stat(place).st_mtime
    except OSError:
        return False
    return 0 <= age < EMPTY_SECONDS
