"""A Compose project as what it declares: the same claims and faults as of a file of manifests.

Pure. Whatever is broken keeps its last good version: a service with an error claims its objects without saying what
they are to be, and a project that cannot be read says so of all.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from reconciler.manifests import documents as checks
from reconciler.manifests.compose.faults import Report, Stop, Subject
from reconciler.manifests.compose.files import gather, mentions
from reconciler.manifests.compose.keys import check
from reconciler.manifests.compose.objects import Json, Made, documents
from reconciler.manifests.compose.services import active, read_project
from reconciler.manifests.compose.source import Source
from reconciler.manifests.documents import FileState, SourceFault
from schemas.decode import FieldValidation
from schemas.meta import Ref


class Converted(msgspec.Struct, frozen=True):
    """The documents that are sound, in reading order, and the state of the project as a source."""

    documents: tuple[Json, ...]
    state: FileState


def convert(
    main: str,
    source: Source,
    more: Iterable[str] = (),
    profiles: Iterable[str] = (),
    validation: FieldValidation = "Strict",
) -> Converted:
    """All that the project declares, and every fault of it.

    With `more` these files are merged over the main one, and no others; `profiles` are on besides those of `.env`.
    """
    report = Report()
    try:
        loaded = active(gather(main, tuple(more), profiles, source.read, report))
        check(loaded.tree, report)
        project = read_project(loaded, source, report)
    except Stop:
        found = mentions(main, source.read(main) or b"")
        return Converted((), FileState(faults=tuple(report.faults), hides=True, mentions=found))
    made = _once(documents(project), report)
    checked = [_checked(one, main, report, validation) for one in made]
    faults = [*report.faults, *(fault for state in checked for fault in state.faults)]
    hides = report.has_errors or any(state.hides for state in checked)
    state = FileState(
        claims=tuple(claim for state in checked for claim in state.claims),
        faults=_bounded(faults),
        hides=hides,
        mentions=mentions(main, source.read(main) or b"") if hides else frozenset(),
        documents=len(checked),
    )
    sound = (one.document for one in made if not _is_broken(one, report))
    return Converted(tuple(sound), state)


def _once(made: Iterable[Made], report: Report) -> list[Made]:
    """Each object once: two services may mount the same file, but no two things may have one name."""
    found: dict[Ref, Made] = {}
    for one in made:
        ref = _ref(one.document)
        before = found.setdefault(ref, one)
        if before is not one and before.document != one.document:
            other = _place(before)
            message = f"{ref.kind}/{ref.name} is made of {other}, too; rename one of them"
            report.error(one.place.node, one.place.path, message)
    return list(found.values())


def _place(made: Made) -> str:
    return ".".join(str(step) for step in made.place.path[:2])


def _ref(document: Json) -> Ref:
    metadata = document["metadata"]
    return Ref(document["kind"], metadata["namespace"], metadata["name"])


def _is_broken(made: Made, report: Report) -> bool:
    section, name = (*made.place.path[:2], "", "")[:2]
    return Subject(str(section), str(name)) in report.broken


def _checked(made: Made, main: str, report: Report, validation: FieldValidation) -> FileState:
    """The document through the manifests' own checks, its faults told at the line of what it was made of."""
    node = made.place.node
    state = checks.load(main, msgspec.json.encode(made.document), validation)
    if _is_broken(made, report):
        kept = (replace(claim, line=node.line, data=None) for claim in state.claims)
        return replace(state, faults=(), claims=tuple(kept))
    return replace(
        state,
        faults=tuple(replace(fault, file=node.file, line=node.line) for fault in state.faults),
        claims=tuple(
            replace(claim, line=node.line, depends_line=node.line if claim.depends_line else 0)
            for claim in state.claims
        ),
    )


def _bounded(faults: list[SourceFault]) -> tuple[SourceFault, ...]:
    if len(faults) <= checks.MOST_FAULTS:
        return tuple(faults)
    faults.sort(key=lambda fault: fault.severity)
    first = faults[checks.MOST_FAULTS]
    rest = f"{len(faults) - checks.MOST_FAULTS} more faults are left out; mend these first"
    return (*faults[: checks.MOST_FAULTS], SourceFault(first.file, first.line, "", "", rest, "warning"))
