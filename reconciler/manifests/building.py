"""Builds units: from a unit's files to what they declare.

I/O, thin: what a unit is made of is said by `kustomize`, `helm` and `compose`, what it declares by `documents`. A
fault of what was rendered is told at the unit's main file, which is all that people can mend.
"""

import re
from posixpath import dirname, join
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.manifests import helm, rendering
from reconciler.manifests.documents import Claim, FileState, SourceFault, broken, load
from reconciler.manifests.inputs import Inputs, Refused
from reconciler.manifests.kustomize import KUSTOMIZATIONS, read_kustomization, targets
from reconciler.manifests.parse import Problem
from reconciler.manifests.rendering import Rendering
from reconciler.manifests.units import Form, Unit
from schemas.decode import FieldValidation

_HOOK = "is a hook of the chart (helm.sh/hook) and left out: hooks are not run; declare it by itself if it is needed"
_TEMPORARY = re.compile(r"/\S*/wherry-\w+/")


class Built(NamedTuple):
    """`is_final`: the same files would give the same state again."""

    state: FileState
    is_final: bool = True


def build(unit: Unit, inputs: Inputs, validation: FieldValidation, seconds: float) -> Built:
    """What the unit declares. `inputs` notes what it is made of. Raises `Unsettled` where a file vanishes meanwhile."""
    try:
        if unit.form is Form.COMPOSE:
            from reconciler.manifests.compose import load_project  # 20 modules, for those who have a project

            return Built(load_project(unit.main, inputs.read_inside, inputs.files, validation))
        if unit.form is Form.KUSTOMIZATION:
            return _kustomization(unit.main, inputs, validation, seconds)
        if unit.form is Form.RELEASE:
            return _release(unit.main, inputs, validation, seconds)
        return _chart(unit.main, inputs, validation, seconds)
    except Refused as refused:
        return Built(_broken(unit.main, refused.problem, inputs))


def _kustomization(main: str, inputs: Inputs, validation: FieldValidation, seconds: float) -> Built:
    _read_kustomizations(dirname(main), inputs)
    rendered = rendering.kustomize(inputs.place(dirname(main)), seconds)
    return _rendered(main, rendered, inputs, validation)


def _read_kustomizations(top: str, inputs: Inputs) -> None:
    """Reads all that the kustomization is made of. Raises `Refused` for what lies on the network."""
    read, waiting = set[str](), [top]
    while waiting:
        folder = waiting.pop()
        for name in KUSTOMIZATIONS:
            main = join(folder, name)
            if (content := inputs.read(main)) is None:
                continue
            kustomization = read_kustomization(content)
            for problem in kustomization.remotes:
                raise Refused(problem if folder == top else Problem(1, f"{main}:{problem.line}: {problem.message}"))
            for path in targets(main, kustomization):
                if path not in read:
                    read.add(path)
                    if inputs.is_folder(path):
                        waiting.append(path)


def _chart(main: str, inputs: Inputs, validation: FieldValidation, seconds: float) -> Built:
    return _helm(main, helm.Release(dirname(main) or "."), inputs, validation, seconds)


def _release(main: str, inputs: Inputs, validation: FieldValidation, seconds: float) -> Built:
    release = helm.read_release(main, inputs.read_inside(main) or b"")
    if isinstance(release, Problem):
        raise Refused(release)
    return _helm(main, release, inputs, validation, seconds)


def _helm(main: str, release: helm.Release, inputs: Inputs, validation: FieldValidation, seconds: float) -> Built:
    described = join(release.chart, helm.CHART)
    if (content := inputs.read_inside(described)) is None:
        words = f"chart: there is no {described}; charts are not fetched, put it there (helm pull --untar)"
        raise Refused(Problem(1, words))
    chart = helm.read_chart(content)
    if isinstance(chart, Problem):
        raise Refused(chart if described == main else Problem(1, f"{described}:{chart.line}: {chart.message}"))
    if chart.is_library:
        return Built(FileState())
    for file in release.values_files:
        if inputs.read_inside(file) is None:
            raise Refused(Problem(1, f"valuesFiles: there is no file {file}; the paths are from {main}"))
    for file in inputs.files(release.chart):
        inputs.read(file)
    release = replace(release, name=release.name or chart.name)
    place = inputs.place(release.chart)
    command = helm.arguments(release, place, [inputs.place(file) for file in release.values_files])
    rendered = rendering.helm(command, place, release.values, seconds)
    if rendered.error:
        return _rendered(main, rendered, inputs, validation)
    taken = helm.taken(rendered.content, release.namespace)
    if taken.problem is not None:
        raise Refused(Problem(1, _at_rendered(taken.problem.line, taken.problem.message)))
    built = _rendered(main, Rendering(taken.content), inputs, validation)
    hooks = tuple(SourceFault(main, 1, hook, "", _HOOK, "warning") for hook in taken.hooks)
    return built._replace(state=replace(built.state, faults=(*built.state.faults, *hooks)))


def _rendered(main: str, rendered: Rendering, inputs: Inputs, validation: FieldValidation) -> Built:
    if rendered.error:
        words = _TEMPORARY.sub("", rendered.error).replace(inputs.place(".") + "/", "")
        return Built(_broken(main, Problem(1, words), inputs), rendered.is_final)
    return Built(_at_main(main, load("rendered.yaml", rendered.content, validation)))


def _at_main(main: str, state: FileState) -> FileState:
    """The lines of what was rendered are nowhere to be found in the source."""
    faults = tuple(
        replace(fault, file=main, line=1, message=_at_rendered(fault.line, fault.message))
        if not fault.object
        else replace(fault, file=main, line=1)
        for fault in state.faults
    )
    return replace(state, claims=tuple(_claim_at_main(claim) for claim in state.claims), faults=faults)


def _claim_at_main(claim: Claim) -> Claim:
    return replace(claim, line=1, depends_line=min(claim.depends_line, 1))


def _at_rendered(line: int, message: str) -> str:
    return f"line {line} of what it renders: {message}"


def _broken(main: str, problem: Problem, inputs: Inputs) -> FileState:
    return broken(main, problem, inputs.words())
