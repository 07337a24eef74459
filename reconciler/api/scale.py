"""The `scale` subresource: a workload's number of replicas as an object of its own."""

from datetime import datetime
from typing import Any

from msgspec import structs

from reconciler.api.status import bad_request, invalid
from reconciler.api.tables.column import AGE, Column, age, label_selector
from schemas.apps import Deployment, ReplicaSet, StatefulSet
from schemas.core.replication import ReplicationController
from schemas.faults import Fault
from schemas.meta import LabelSelector

Document = dict[str, Any]
_META = "meta.k8s.io/v1"
_COLUMNS = (
    Column("Name", description="Unique within the namespace"),
    Column("Desired", "integer", description="Replicas asked for"),
    Column("Available", "integer", description="Replicas there are"),
    AGE,
)
Scaled = Deployment | ReplicaSet | ReplicationController | StatefulSet


def _selector(workload: Scaled) -> str:
    if isinstance(workload, ReplicationController):
        return label_selector(LabelSelector(match_labels=workload.spec.selector))
    return label_selector(workload.spec.selector)


def scale_of(workload: Scaled) -> Document:
    """The workload as a `Scale`."""
    metadata = workload.metadata
    status: Document = {"replicas": workload.status.replicas, "selector": _selector(workload)}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
            "creationTimestamp": metadata.creation_timestamp,
        },
        "spec": {"replicas": workload.spec.replicas or 0},
        "status": status,
    }


def table_of(workload: Scaled, now: datetime) -> Document:
    """The workload's `Scale` as a row."""
    scale = scale_of(workload)
    row = {
        "cells": [workload.metadata.name, workload.spec.replicas or 0, workload.status.replicas, age(workload, now)],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": scale["metadata"]},
    }
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": {"resourceVersion": workload.metadata.resource_version},
        "columnDefinitions": _COLUMNS,
        "rows": [row],
    }


def scaled(workload: Scaled, scale: Document) -> Scaled:
    """The workload with the replicas that the `Scale` asks for, at the version that it was read at."""
    spec, metadata = scale.get("spec") or {}, scale.get("metadata") or {}
    if not isinstance(spec, dict) or not isinstance(metadata, dict):
        raise bad_request("Scale: spec and metadata must be objects")
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(f"Scale: spec.replicas must be an integer, not {replicas!r}")
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("Scale", "autoscaling", workload.metadata.name, [Fault(("spec", "replicas"), message)])
    version = str(metadata.get("resourceVersion") or workload.metadata.resource_version)
    new_spec: Any = structs.replace(workload.spec, replicas=replicas)
    new_metadata = structs.replace(workload.metadata, resource_version=version)
    return structs.replace(workload, metadata=new_metadata, spec=new_spec)
