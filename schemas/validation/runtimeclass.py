"""Rules of RuntimeClasses."""

from schemas import names
from schemas.node import RuntimeClass
from schemas.validation import metadata
from schemas.validation.report import IMMUTABLE, Faults, invalid, required, well_formed


def runtime_class(declared: RuntimeClass) -> Faults:
    if not declared.handler:
        yield required(("handler",))
    else:
        yield from well_formed(("handler",), declared.handler, names.dns1123_label)
    if declared.scheduling is not None:
        yield from metadata.labels(("scheduling", "nodeSelector"), declared.scheduling.node_selector)


def runtime_class_update(new: RuntimeClass, old: RuntimeClass) -> Faults:
    if new.handler != old.handler:
        yield invalid(("handler",), new.handler, IMMUTABLE)
