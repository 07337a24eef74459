"""Fleets of any size and pods of five mixes, for measuring the scheduler. The same numbers make the same fleet."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import structs

from schemas.apps import ReplicaSet
from schemas.core.node import Node
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.meta import AnyObject, Object

Json = dict[str, Any]

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
ZONES = 10
TEMPLATES, MOST_APART = 5, 4000
"""Templates of a mix, of which each has as many pods; more where no two pods of one may be on a node."""
APPS = 20
"""Templates that Services and ReplicaSets are there for."""
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_SIZES = (("4", "8Gi"), ("8", "16Gi"), ("16", "64Gi"))
_AMOUNTS = (("100m", "64Mi"), ("250m", "128Mi"), ("50m", "256Mi"), ("500m", "512Mi"))


def nodes(number: int) -> Iterator[Node]:
    """Of three sizes in ten zones; one in ten is tainted in each zone, and one in five would rather not."""
    for index in range(number):
        cpu, memory = _SIZES[index % 3]
        taints: list[Json] = []
        if index // ZONES % 10 == 9:
            taints.append({"key": "dedicated", "value": "batch", "effect": "NoSchedule"})
        if index // ZONES % 5 == 0:
            taints.append({"key": "spot", "effect": "PreferNoSchedule"})
        name = f"n{index:05}"
        labels = {HOSTNAME: name, ZONE: f"z{index % ZONES}", "disk": ("hdd", "ssd")[index % 2]}
        yield _made(
            Node,
            {
                "metadata": {"name": name, "uid": name, "labels": labels},
                "spec": {"taints": taints},
                "status": {
                    "allocatable": {"cpu": cpu, "memory": memory, "pods": "110"},
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            },
        )


def surroundings(mix: str) -> Iterator[Object]:
    """What pods of the mix belong to: in `mixed` a ReplicaSet and a Service for each template."""
    if mix != "mixed":
        return
    for app in range(APPS):
        labels = {"app": f"app-{app}"}
        metadata = {"name": f"app-{app}", "namespace": "default", "uid": f"set-{app}"}
        yield _made(Service, {"metadata": metadata, "spec": {"selector": labels, "ports": [{"port": 80}]}})
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
        yield _made(
            ReplicaSet, {"metadata": metadata, "spec": {"selector": {"matchLabels": labels}, "template": template}}
        )


def pods(mix: str, number: int, templates: int = 0) -> Iterator[Pod]:
    """One template after the other, as when Deployments are scaled up one by one."""
    apart = mix in ("affinity", "mixed")
    templates = templates or (APPS if mix == "mixed" else TEMPLATES)
    each = -(-number // max(templates, -(-number // MOST_APART) if apart else 1))
    for index in range(number):
        if index % each == 0:
            model = template(mix, index // each)
        yield named(model, f"p-{index:05}")


def named(model: Pod, name: str) -> Pod:
    return structs.replace(model, metadata=structs.replace(model.metadata, name=name, uid=name))


def template(mix: str, app: int) -> Pod:
    """The pod of which others of its template differ only by name. Any number of templates can be told apart."""
    cpu, memory = _AMOUNTS[app % len(_AMOUNTS)]
    if app >= APPS:
        cpu = f"{100 + app}m"
    spec: Json = {
        "containers": [{"name": "c", "image": "app:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]
    }
    labels = {"app": f"app-{app}"}
    kind = ("basic", "affinity", "spread", "taints")[app % 4] if mix == "mixed" else mix
    spec |= _DEMANDS[kind](app, {"matchLabels": labels})
    metadata: Json = {"name": "model", "namespace": "default", "labels": labels}
    if mix == "mixed":
        spec |= _preferring(app)
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"app-{app}", "uid": f"set-{app}"}
        metadata["ownerReferences"] = [owner | {"controller": True}]
    return _made(Pod, {"metadata": metadata, "spec": spec})


def _plain(app: int, selector: Json) -> Json:
    return {}


def _apart(app: int, selector: Json) -> Json:
    """No two of a template on one node."""
    term = {"topologyKey": HOSTNAME, "labelSelector": selector}
    return {"affinity": {"podAntiAffinity": {_REQUIRED: [term]}}}


def _spread(app: int, selector: Json) -> Json:
    constraint = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    return {"topologySpreadConstraints": [constraint]}


def _tolerant(app: int, selector: Json) -> Json:
    """Half of the templates may go where others may not."""
    batch = {"key": "dedicated", "value": "batch", "effect": "NoSchedule"}
    return {"tolerations": [batch] if app % 2 else [{"key": "spot", "operator": "Exists"}]}


def _preferring(app: int) -> Json:
    if app % 4 != 0:
        return {}
    ssd = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    near = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": f"app-{(app + 4) % APPS}"}}}
    return {
        "affinity": {
            "nodeAffinity": {_PREFERRED: [{"weight": 10, "preference": ssd}]},
            "podAffinity": {_PREFERRED: [{"weight": 5, "podAffinityTerm": near}]},
        }
    }


_DEMANDS: Mapping[str, Any] = {"basic": _plain, "affinity": _apart, "spread": _spread, "taints": _tolerant}
MIXES = (*_DEMANDS, "mixed")


def _made(type_: type[AnyObject], written: Json) -> AnyObject:
    return defaulted(msgspec.convert(written, type_, strict=False))
