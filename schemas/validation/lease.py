"""Rules of Leases."""

from schemas import names
from schemas.coordination import Lease
from schemas.faults import Path
from schemas.validation.report import Faults, at_least, forbidden, invalid, unsupported, well_formed

_SPEC: Path = ("spec",)
_STRATEGIES = ("OldestEmulationVersion",)


def lease(declared: Lease) -> Faults:
    spec = declared.spec
    if spec.lease_duration_seconds is not None and spec.lease_duration_seconds <= 0:
        yield invalid((*_SPEC, "leaseDurationSeconds"), spec.lease_duration_seconds, "must be greater than 0")
    yield from at_least((*_SPEC, "leaseTransitions"), spec.lease_transitions)
    if "/" in spec.strategy:
        yield from well_formed((*_SPEC, "strategy"), spec.strategy, names.qualified_name)
    elif spec.strategy and spec.strategy not in _STRATEGIES:
        yield unsupported((*_SPEC, "strategy"), spec.strategy, _STRATEGIES)
    if spec.preferred_holder and not spec.strategy:
        yield forbidden((*_SPEC, "preferredHolder"), "may only be specified if `strategy` is defined")
