"""What a plan starts from: a running reconciler, a file of nodes, a folder, and the same folder at an earlier revision.

I/O, thin. All that a person can have got wrong raises `CannotPlan`, whose text says what and what to do.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from reconciler.admission import AdmissionSettings
from reconciler.api import client
from reconciler.controllers.registry import ControllerSettings
from reconciler.manifests.documents import FileState
from reconciler.manifests.prune import Limits
from reconciler.manifests.source import Source, Unreadable, Unsettled
from reconciler.plan.forecast import Settings
from reconciler.store.view import View
from schemas.decode import FieldValidation
from schemas.kinds import KINDS, Kind
from schemas.meta import Object

PAGE = 500
_TRIES = 3
_GIT_SECONDS = 120.0


class CannotPlan(Exception):
    """What the plan needs cannot be had. The text is for the person who asked."""


class _NoWatch:
    """A folder that is looked at once: nobody wants to know of changes."""

    def start_round(self, folder: Path) -> None: ...

    def add(self, directory: str) -> None: ...

    def add_git(self, directory: Path) -> None: ...

    def add_input(self, directory: str, name: str) -> None: ...

    def add_tree(self, directory: str) -> None: ...


def files_of(folder: Path, validation: FieldValidation = "Strict") -> dict[str, FileState]:
    """What each file of the folder says, read as the daemon reads it."""
    source, watch = Source(folder, validation, follows_git=False), _NoWatch()
    try:
        found = source.read(source.scan(watch)).changed
    except (Unreadable, Unsettled) as error:
        raise CannotPlan(str(error)) from None
    return {file: state for file, state in found.items() if state is not None}


def files_at(folder: Path, revision: str, validation: FieldValidation = "Strict") -> dict[str, FileState]:
    """The same of an earlier git revision of the folder; nothing where the revision did not have the folder."""
    with _checked_out(folder, revision) as earlier:
        return files_of(earlier, validation) if earlier.is_dir() else {}


@contextmanager
def _checked_out(folder: Path, revision: str) -> Iterator[Path]:
    """The folder as of the revision, in a temporary place; the repository and its index stay as they are.

    All of the repository is there: an overlay may build on what lies beside the folder.
    """
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    below = _git(folder, "rev-parse", "--show-prefix").strip()
    top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    with tempfile.TemporaryDirectory(prefix="wherry-plan-") as place:
        index = {"GIT_INDEX_FILE": f"{place}/index"}
        target = Path(place) / "tree"
        target.mkdir()
        _git(top, "read-tree", commit, environment=index)
        _git(top, "checkout-index", "--all", f"--prefix={target}/", environment=index)
        yield target / below


def _git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    command = ["git", "-C", str(folder), *arguments]
    settings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(environment or {})}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, env=settings)
    except FileNotFoundError:
        raise CannotPlan("--from needs the program git; install it") from None
    except subprocess.TimeoutExpired:
        raise CannotPlan(f"git {arguments[0]} took more than {_GIT_SECONDS:.0f} s in {folder}") from None
    if done.returncode:
        said = done.stderr.strip() or "there is no such commit; in a shallow clone, fetch it first (git fetch --depth)"
        raise CannotPlan(f"--from: git {arguments[0]} in {folder}: {said}")
    return done.stdout


class Running(msgspec.Struct, frozen=True):
    """A reconciler's cluster at one revision, and the settings by which it reads and decides."""

    objects: tuple[Object, ...]
    settings: Settings
    validation: FieldValidation


class _Told(msgspec.Struct, frozen=True, rename="camel"):
    """`settings` of a reconciler's status; one that does not tell them goes by the defaults."""

    cluster_cidr: str = ControllerSettings().cluster_cidr
    prune_number: int = Limits().count
    prune_share: float = Limits().share
    toleration_seconds: int = AdmissionSettings().default_toleration_seconds
    field_validation: FieldValidation = "Strict"


def running(kubeconfig: Path) -> Running:
    """All objects through the API, in pages, all of one revision. Raises `CannotPlan`."""
    try:
        status = client.call(kubeconfig, "GET", "/wherry/v1/status")
        told = msgspec.convert(status.get("settings", {}), _Told)
        settings = Settings(
            admission=AdmissionSettings(default_toleration_seconds=told.toleration_seconds),
            controllers=ControllerSettings(cluster_cidr=told.cluster_cidr),
            limits=Limits(share=told.prune_share, count=told.prune_number),
        )
        return Running(_all_objects(kubeconfig), settings, told.field_validation)
    except (client.ClientError, msgspec.ValidationError) as error:
        raise CannotPlan(str(error)) from error


def _all_objects(kubeconfig: Path) -> tuple[Object, ...]:
    for attempt in range(_TRIES):
        found, revision = list[Object](), ""
        try:
            for kind in KINDS:
                if kind.name != "Event":
                    objects, revision = _of_kind(kubeconfig, kind, revision)
                    found += objects
        except client.ClientError as error:
            if "(Expired)" in str(error) and attempt + 1 < _TRIES:
                continue  # so much happened meanwhile that the revision is gone
            raise
        return tuple(found)
    raise AssertionError("the last try returns or raises")


def _of_kind(kubeconfig: Path, kind: Kind, revision: str) -> tuple[list[Object], str]:
    """At `revision`, or at the present one, which is returned with the objects."""
    found, token = list[Object](), ""
    while True:
        query = {"limit": str(PAGE)}
        if token:
            query["continue"] = token
        elif revision:
            query |= {"resourceVersion": revision, "resourceVersionMatch": "Exact"}
        page: Any = client.call(kubeconfig, "GET", f"{client.Wanted(kind).path}?{urlencode(query)}")
        found += (msgspec.convert(_kinded(item, kind), kind.type) for item in page["items"])
        revision, token = page["metadata"]["resourceVersion"], page["metadata"].get("continue", "")
        if not token:
            return found, revision


def _kinded(item: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Elements of a list need not say what they are."""
    return {"apiVersion": kind.api_version, "kind": kind.name} | item


def nodes_of(objects: Sequence[Object]) -> tuple[Object, ...]:
    return tuple(one for one in objects if one.kind == "Node")


def everything(view: View) -> tuple[Object, ...]:
    return tuple(found for kind in KINDS for found in view.list(kind.type))
