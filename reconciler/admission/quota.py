"""ResourceQuota: a namespace uses no more than it may. Pure.

Usage is counted over the view each time, not read from the status of the quota, so that two objects of one commit
cannot both have the last of it. Follows https://kubernetes.io/docs/concepts/policy/resource-quotas/.
"""

from collections.abc import Iterable, Mapping

from reconciler.admission.amounts import Amounts, of_pod
from reconciler.admission.usages import Usages
from reconciler.store.view import View
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.quota import ResourceQuota, ScopedResourceSelectorRequirement
from schemas.core.service import Service
from schemas.kinds import BY_NAME
from schemas.meta import Object, Quantity
from schemas.qos import qos_class
from schemas.quantity import canonical, exact, total

_PLAIN = frozenset({"ConfigMap", "ReplicationController", "ResourceQuota", "Secret"})
"""Kinds that a quota also names without `count/`."""
_OF_CONTAINERS = ("cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory")
"""What every container has to say where a quota names it."""
_OF_CLASS = ".storageclass.storage.k8s.io/"


_USAGES: dict[tuple[str, type[Object]], Usages] = {}
"""Of the namespaces that have quotas."""


def check(object_: Object, view: View) -> str:
    namespace = object_.metadata.namespace
    quotas = view.list(ResourceQuota, namespace) if namespace else ()
    if not quotas:
        return ""
    concerned = [quota for quota in quotas if _covers(quota, object_)]
    for quota in concerned:
        if unsaid := _unsaid(quota, object_):
            return f"failed quota: {quota.metadata.name}: must specify {unsaid}"
    asked = usage(object_)
    for quota in concerned:
        if exceeded := _exceeded(quota, asked, object_, view):
            return exceeded
    return ""


def _exceeded(quota: ResourceQuota, asked: Mapping[str, Quantity], object_: Object, view: View) -> str:
    hard = quota.spec.hard
    names = [name for name in sorted(hard) if name in asked and exact(asked[name])]
    if not names:
        return ""
    used = used_of(quota, view, type(object_))
    over = [name for name in names if exact(total((used.get(name, 0), asked[name]))) > exact(hard[name])]
    if not over:
        return ""
    told = (",".join(f"{name}={canonical(amounts.get(name, 0))}" for name in over) for amounts in (asked, used, hard))
    requested, present, limited = told
    return f"exceeded quota: {quota.metadata.name}, requested: {requested}, used: {present}, limited: {limited}"


def used_of(quota: ResourceQuota, view: View, type_: type[Object]) -> Amounts:
    """What the objects of a type use of the quota by now."""
    present: Iterable[Object] = view.list(type_, quota.metadata.namespace)
    if quota.spec.scopes or quota.spec.scope_selector:
        present = (one for one in present if _covers(quota, one))
    return _USAGES.setdefault((quota.metadata.namespace, type_), Usages(usage)).together(present)


def usage(object_: Object) -> Amounts:
    """What one object uses, by the names that quotas have for it."""
    kind = BY_NAME[object_.kind]
    found: Amounts = {f"count/{kind.plural}.{kind.group}" if kind.group else f"count/{kind.plural}": 1}
    if object_.kind in _PLAIN:
        found[kind.plural] = 1
    if isinstance(object_, Pod):
        found |= _pod(object_)
    elif isinstance(object_, PersistentVolumeClaim):
        found |= _claim(object_)
    elif isinstance(object_, Service):
        found |= _service(object_)
    return found


def _pod(pod: Pod) -> Amounts:
    if pod.status.phase in ("Succeeded", "Failed"):
        return {}
    found: Amounts = {"pods": 1}
    for name, quantity in of_pod(pod, "requests").items():
        found[f"requests.{name}"] = quantity
        if name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-"):
            found[name] = quantity
    return found | {f"limits.{name}": quantity for name, quantity in of_pod(pod, "limits").items()}


def _claim(claim: PersistentVolumeClaim) -> Amounts:
    requests = claim.spec.resources.requests if claim.spec.resources else {}
    found: Amounts = {"persistentvolumeclaims": 1, "requests.storage": requests.get("storage", 0)}
    if claim.spec.storage_class_name:
        of_class = {f"{claim.spec.storage_class_name}{_OF_CLASS}{name}": value for name, value in found.items()}
        found |= of_class
    return found


def _service(service: Service) -> Amounts:
    spec = service.spec
    found: Amounts = {"services": 1}
    if spec.type == "NodePort" or (spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False):
        found["services.nodeports"] = len(spec.ports)
    if spec.type == "LoadBalancer":
        found["services.loadbalancers"] = 1
    return found


def _unsaid(quota: ResourceQuota, object_: Object) -> str:
    """What containers of the pod leave open although the quota is on it."""
    if not isinstance(object_, Pod):
        return ""
    found: dict[str, list[str]] = {}
    for name in _OF_CONTAINERS:
        if name not in quota.spec.hard:
            continue
        side = "limits" if name.startswith("limits.") else "requests"
        resource = name.rpartition(".")[2]
        for container in (*object_.spec.containers, *object_.spec.init_containers):
            if not exact(getattr(container.resources, side).get(resource, 0)):
                found.setdefault(name, []).append(container.name)
    return "; ".join(f"{name} for: {','.join(sorted(names))}" for name, names in found.items())


def _covers(quota: ResourceQuota, object_: Object) -> bool:
    """Whether the object is within all scopes of the quota; only pods and claims have any."""
    scopes: Iterable[ScopedResourceSelectorRequirement] = (
        *(ScopedResourceSelectorRequirement("Exists", scope) for scope in quota.spec.scopes),
        *(quota.spec.scope_selector.match_expressions if quota.spec.scope_selector else ()),
    )
    return all(isinstance(object_, Pod) and _within(scope, object_) for scope in scopes)


def _within(scope: ScopedResourceSelectorRequirement, pod: Pod) -> bool:
    match scope.scope_name:
        case "Terminating":
            return pod.spec.active_deadline_seconds is not None
        case "NotTerminating":
            return pod.spec.active_deadline_seconds is None
        case "BestEffort":
            return qos_class(pod) == "BestEffort"
        case "NotBestEffort":
            return qos_class(pod) != "BestEffort"
        case "CrossNamespacePodAffinity":
            return _reaches_out(pod)
        case "PriorityClass":
            return _is_of(scope, pod.spec.priority_class_name)
    return False


def _is_of(scope: ScopedResourceSelectorRequirement, name: str) -> bool:
    match scope.operator:
        case "In":
            return name in scope.values
        case "NotIn":
            return name not in scope.values
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
    return False


def _reaches_out(pod: Pod) -> bool:
    """Whether affinity of the pod looks at pods of other namespaces."""
    affinity = pod.spec.affinity
    sides = (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity else ()
    terms = [
        term
        for side in sides
        if side is not None
        for term in (
            *side.required_during_scheduling_ignored_during_execution,
            *(one.pod_affinity_term for one in side.preferred_during_scheduling_ignored_during_execution),
        )
    ]
    return any(term.namespaces or term.namespace_selector is not None for term in terms)
