"""Lease: who holds something, and until when."""

from datetime import datetime

from msgspec import field

from schemas.meta import Object, Record


class LeaseSpec(Record, frozen=True):
    acquire_time: datetime | None = None
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    preferred_holder: str = ""
    renew_time: datetime | None = None
    strategy: str = ""


class Lease(Object, frozen=True, kw_only=True):
    api_version: str = field(default_factory=lambda: "coordination.k8s.io/v1")
    kind: str = field(default_factory=lambda: "Lease")
    spec: LeaseSpec = field(default_factory=LeaseSpec)
