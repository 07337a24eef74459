"""Rules of the pod templates of workloads, and of the selectors that have to match them."""

from collections.abc import Mapping

from msgspec import structs

from schemas import selectors
from schemas.core.pod import PodTemplateSpec
from schemas.faults import Path
from schemas.meta import LabelSelector
from schemas.validation import metadata, nodeloss
from schemas.validation.pod import pod_spec
from schemas.validation.report import Faults, forbidden, invalid, required, unsupported
from schemas.validation.scheduling import label_selector


def selector(path: Path, declared: LabelSelector, kind: str) -> Faults:
    """A selector that has to pick something."""
    yield from label_selector(path, declared)
    if not declared.match_labels and not declared.match_expressions:
        yield invalid(path, {}, f"empty selector is invalid for {kind}")


def matching(path: Path, declared: LabelSelector, template: PodTemplateSpec) -> Faults:
    """That a sound selector picks the pods of the template at `path`; of an unsound one nothing can be said."""
    empty = not declared.match_labels and not declared.match_expressions
    if not empty and not any(label_selector(path, declared)):
        yield from matched(path, selectors.matches(declared, template.metadata.labels), template.metadata.labels)


def matched(path: Path, matches: bool, labels: Mapping[str, str]) -> Faults:
    if not matches:
        yield invalid((*path, "metadata", "labels"), labels or None, "`selector` does not match template `labels`")


def template(path: Path, declared: PodTemplateSpec) -> Faults:
    """Of every kind. The restart policy is left to the kinds, which allow only some."""
    yield from metadata.labels((*path, "metadata", "labels"), declared.metadata.labels)
    yield from metadata.annotations((*path, "metadata", "annotations"), declared.metadata.annotations)
    yield from nodeloss.annotations((*path, "metadata", "annotations"), declared.metadata.annotations)
    spec = declared.spec
    if spec is None:
        yield required((*path, "spec", "containers"))
        return
    at = (*path, "spec")
    if spec.ephemeral_containers:
        yield forbidden((*at, "ephemeralContainers"), "ephemeral containers not allowed in pod template")
    yield from pod_spec(at, structs.replace(spec, restart_policy="", ephemeral_containers=()))


def running_template(path: Path, declared: PodTemplateSpec, kind: str) -> Faults:
    """Of workloads that run on: their pods start again for ever."""
    yield from template(path, declared)
    spec = declared.spec
    if spec is None:
        return
    at = (*path, "spec")
    if spec.restart_policy not in ("", "Always"):
        yield unsupported((*at, "restartPolicy"), spec.restart_policy, ("Always",))
    if spec.active_deadline_seconds is not None:
        yield forbidden((*at, "activeDeadlineSeconds"), f"activeDeadlineSeconds in {kind} is not Supported")
