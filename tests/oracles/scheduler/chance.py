"""Clusters and pods made up by chance, with every constraint mixed. The same seed makes the same."""

import random
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import structs

from reconciler.admission import labelkeys, priority
from reconciler.store.cache import Cache
from schemas.core.config import Namespace
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.meta import AnyObject, Object
from schemas.policy import PodDisruptionBudget
from schemas.storage import StorageClass

Json = dict[str, Any]

KINDS = (
    *("amounts", "node affinity", "taints", "ports", "pod affinity", "spread", "built-in spread"),
    *("volumes", "images", "priority"),
)
"""What pods may ask for or keep off."""

ZONE, HOSTNAME, REGION = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "topology.kubernetes.io/region"
DRIVER = "disks.example.com"
NAMESPACES: Mapping[str, Mapping[str, str]] = {"default": {"env": "prod"}, "a": {"env": "dev", "team": "x"}, "b": {}}
IMAGES = {"app:1": 900, "app:2": 400, "db:latest": 1500, "tool:1": 30}
"""Size of each in MiB."""
PRIORITIES = (0, 0, 0, 10, 100, -5)
_TAINTS = ("dedicated", "spot", "broken")
_CLAIMS = tuple(f"claim-{number}" for number in range(8))
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class Chance(random.Random):
    """`kinds`: those of `KINDS` that occur."""

    def __init__(self, seed: int, kinds: frozenset[str]) -> None:
        super().__init__(seed)
        self.kinds = kinds

    def one_in(self, number: int, kind: str = "") -> bool:
        """Whether it happens this time; never where its kind does not occur."""
        return self.randrange(number) == 0 and (not kind or kind in self.kinds)

    def node(self, number: int) -> Node:
        name = f"n{number:02}"
        labels = {"kubernetes.io/arch": "amd64"}
        labels |= {} if self.one_in(12) else {HOSTNAME: name}
        labels |= {} if self.one_in(8) else {ZONE: self.choice("abcd")}
        labels |= {REGION: self.choice(("r1", "r2"))} if self.one_in(2) else {}
        labels |= {"disk": self.choice(("hdd", "ssd"))} if self.one_in(2) else {}
        labels |= {"cores": self.choice(("2", "8", "many"))} if self.one_in(2) else {}
        amounts = {"cpu": f"{self.choice((1, 2, 4, 8))}", "memory": f"{self.choice((1, 2, 8))}Gi"}
        amounts["pods"] = str(self.choice((3, 6, 110)))
        amounts |= {"example.com/gpio": "2"} if self.one_in(4) else {}
        amounts |= {"ephemeral-storage": "10Gi"} if self.one_in(2) else {}
        taints = [self.taint() for _ in range(self.choice((0, 0, 1, 2)))] if "taints" in self.kinds else []
        images = [
            {"names": [image], "sizeBytes": size * 2**20} for image, size in IMAGES.items() if self.one_in(3, "images")
        ]
        return made(
            Node,
            {
                "metadata": {"name": name, "labels": labels},
                "spec": {"taints": taints, "unschedulable": self.one_in(10, "taints")},
                "status": {"allocatable": amounts, "images": images},
            },
        )

    def taint(self) -> Json:
        effect = self.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))
        return {"key": self.choice(_TAINTS), "value": self.choice(("", "1", "5")), "effect": effect}

    def template(self) -> Json:
        """Labels and spec of pods of one kind."""
        spec: Json = {"containers": [self._container() for _ in range(self.choice((1, 1, 2)))]}
        labels = {"app": self.choice(("web", "db", "cache")), "rev": self.choice(("1", "2"))}
        if self.one_in(6):
            del labels["rev"]
        if self.one_in(5, "amounts"):
            spec["initContainers"] = [self._container() | {"name": "before"}, self._container() | {"name": "sidecar"}]
            spec["initContainers"][1]["restartPolicy"] = "Always"
        if self.one_in(8, "amounts"):
            spec["overhead"] = {"cpu": "50m"}
        if self.one_in(2, "taints"):
            spec["tolerations"] = [self._toleration() for _ in range(self.randint(1, 3))]
        if self.one_in(3, "spread"):
            spec["topologySpreadConstraints"] = self._constraints()
        if self.one_in(3, "volumes"):
            spec["volumes"] = self._volumes()
        if self.one_in(2, "priority"):
            spec["priority"] = self.choice(PRIORITIES)
            spec["preemptionPolicy"] = "Never" if self.one_in(5) else "PreemptLowerPriority"
        affinity = self._affinity()
        if affinity:
            spec["affinity"] = affinity
        if self.one_in(8, "node affinity"):
            spec["nodeSelector"] = {"disk": "ssd"}
        return {"namespace": self.choice(tuple(NAMESPACES)), "labels": labels, "spec": spec}

    def pod(self, template: Json, name: str, node: str = "") -> Pod:
        spec = template["spec"] | ({"nodeName": node} if node else {})
        metadata = {"name": name, "namespace": template["namespace"], "uid": name, "labels": template["labels"]}
        status = {"startTime": f"2026-01-01T{self.randrange(24):02}:{self.randrange(60):02}:00Z"} if node else {}
        return made(Pod, {"metadata": metadata, "spec": spec, "status": status})

    def _container(self) -> Json:
        requests: Json = {}
        if "amounts" in self.kinds or self.one_in(2):
            requests |= {"cpu": self.choice(("100m", "250m", "1"))} if not self.one_in(4) else {}
            requests |= {"memory": self.choice(("64Mi", "256Mi", "1Gi"))} if not self.one_in(4) else {}
            requests |= {"example.com/gpio": "1"} if self.one_in(15) else {}
            requests |= {"ephemeral-storage": "2Gi"} if self.one_in(12) else {}
        found: Json = {"name": "c", "image": self.choice((*IMAGES, "db")), "resources": {"requests": requests}}
        if self.one_in(6, "ports"):
            address = self.choice(("", "", "127.0.0.1", "10.0.0.1"))
            found["ports"] = [
                {"containerPort": 80, "hostPort": self.choice((80, 81)), "protocol": self.choice(("TCP", "UDP"))}
                | ({"hostIP": address} if address else {})
            ]
        return found

    def _toleration(self) -> Json:
        found: Json = {"operator": self.choice(("Equal", "Exists", "Exists", "Gt"))}
        if found["operator"] != "Exists" or not self.one_in(5):
            found["key"] = self.choice((*_TAINTS, "node.kubernetes.io/unschedulable"))
        if found["operator"] != "Exists":
            found["value"] = self.choice(("1", "5") if found["operator"] == "Gt" else ("", "1", "5"))
        if not self.one_in(2):
            found["effect"] = self.choice(("NoSchedule", "NoExecute", "PreferNoSchedule"))
        return found

    def _requirement(self, keys: Mapping[str, tuple[str, ...]]) -> Json:
        key = self.choice(tuple(keys))
        operator = self.choice(_OPERATORS)
        found: Json = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            found["values"] = self.sample(keys[key], self.randint(1, len(keys[key])))
        return found

    def _node_term(self) -> Json:
        keys = {ZONE: ("a", "b", "c"), "disk": ("hdd", "ssd"), "cores": ("2", "8"), REGION: ("r1",)}
        term: Json = {"matchExpressions": [self._requirement(keys) for _ in range(self.choice((1, 1, 2)))]}
        if self.one_in(6):
            operator = self.choice(("Gt", "Lt"))
            term["matchExpressions"].append({"key": "cores", "operator": operator, "values": ["4"]})
        if self.one_in(8):
            name = {"key": "metadata.name", "operator": self.choice(("In", "NotIn")), "values": ["n01"]}
            term = {"matchFields": [name]}
        return term

    def _affinity(self) -> Json:
        found: Json = {}
        if self.one_in(3, "node affinity"):
            side: Json = {}
            found["nodeAffinity"] = side
            if self.one_in(2):
                side[REQUIRED] = {"nodeSelectorTerms": [self._node_term() for _ in range(self.choice((1, 2)))]}
            if self.one_in(2):
                side[PREFERRED] = [
                    {"weight": self.randint(1, 100), "preference": self._node_term()}
                    for _ in range(self.choice((1, 2)))
                ]
        for name in ("podAffinity", "podAntiAffinity"):
            if self.one_in(4, "pod affinity"):
                terms: Json = {}
                found[name] = terms
                if self.one_in(2):
                    terms[REQUIRED] = [self._pod_term() for _ in range(self.choice((1, 1, 2)))]
                if self.one_in(2):
                    terms[PREFERRED] = [
                        {"weight": self.randint(1, 100), "podAffinityTerm": self._pod_term()}
                        for _ in range(self.choice((1, 2)))
                    ]
        return found

    def _selector(self) -> Json:
        if self.one_in(12):
            return {}
        if self.one_in(4):
            return {"matchExpressions": [self._requirement({"app": ("web", "db"), "rev": ("1", "2")})]}
        return {"matchLabels": {"app": self.choice(("web", "db", "cache"))}}

    def _pod_term(self) -> Json:
        term: Json = {"topologyKey": self.choice((HOSTNAME, ZONE, ZONE, "disk", "absent"))}
        if not self.one_in(12):
            term["labelSelector"] = self._selector()
        if self.one_in(4):
            term["namespaces"] = self.sample(tuple(NAMESPACES), self.randint(1, 2))
        if self.one_in(4):
            env = self._requirement({"env": ("prod",), "team": ("x",)})
            term["namespaceSelector"] = {} if self.one_in(3) else {"matchExpressions": [env]}
        if self.one_in(5) and "labelSelector" in term:
            term[self.choice(("matchLabelKeys", "mismatchLabelKeys"))] = ["rev"]
        return term

    def _constraints(self) -> list[Json]:
        found = []
        pairs = [(key, when) for key in (HOSTNAME, ZONE, "disk") for when in ("DoNotSchedule", "ScheduleAnyway")]
        for key, when in self.sample(pairs, self.choice((1, 1, 2, 3))):
            one: Json = {"maxSkew": self.choice((1, 1, 2, 5)), "topologyKey": key, "whenUnsatisfiable": when}
            if not self.one_in(12):
                one["labelSelector"] = self._selector()
                one |= {"matchLabelKeys": ["rev"]} if self.one_in(5) else {}
            if when == "DoNotSchedule" and self.one_in(4):
                one["minDomains"] = self.choice((2, 4))
            for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
                one |= {policy: self.choice(("Honor", "Ignore"))} if self.one_in(3) else {}
            found.append(one)
        return found

    def _volumes(self) -> list[Json]:
        found: list[Json] = [
            {"name": f"v{number}", "persistentVolumeClaim": {"claimName": name}}
            for number, name in enumerate(self.sample(_CLAIMS, self.choice((1, 1, 2))))
        ]
        if self.one_in(6):
            disk = {"pdName": self.choice(("d1", "d2")), "readOnly": self.one_in(2)}
            found.append({"name": "disk", "gcePersistentDisk": disk})
        return found

    def storage(self) -> list[Object]:
        """Classes of three modes, claims in each namespace, and volumes, some of them bound."""
        late = {"volumeBindingMode": "WaitForFirstConsumer"}
        in_zones = {"matchLabelExpressions": [{"key": ZONE, "values": ["a", "b"]}]}
        found: list[Object] = [
            made(StorageClass, {"metadata": {"name": "now"}, "provisioner": "kubernetes.io/no-provisioner"}),
            made(StorageClass, {"metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner", **late}),
            made(
                StorageClass,
                {"metadata": {"name": "made"}, "provisioner": DRIVER, **late, "allowedTopologies": [in_zones]},
            ),
        ]
        for namespace in NAMESPACES:
            for claim in _CLAIMS:
                if not self.one_in(6):
                    found += self._claim(namespace, claim)
        for number in range(4):
            found.append(self._volume(f"free-{number}", "local", "Available", None))
        return found

    def _claim(self, namespace: str, name: str) -> list[Object]:
        class_ = self.choice(("now", "local", "made"))
        bound = not self.one_in(4) if class_ == "now" else self.one_in(2)
        modes = ["ReadWriteOncePod"] if self.one_in(6) else ["ReadWriteOnce"]
        spec: Json = {"accessModes": modes, "resources": {"requests": {"storage": self.choice(("1Gi", "3Gi"))}}}
        spec["storageClassName"] = class_
        metadata: Json = {"name": name, "namespace": namespace}
        if not bound:
            return [made(PersistentVolumeClaim, {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})]
        volume = f"pv-{namespace}-{name}"
        metadata["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
        status = {"phase": "Bound"}
        claim = {"metadata": metadata, "spec": spec | {"volumeName": volume}, "status": status}
        kept = {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name}
        there = [] if self.one_in(15) else [self._volume(volume, class_, "Bound", kept)]
        return [made(PersistentVolumeClaim, claim), *there]

    def _volume(self, name: str, class_: str, phase: str, kept: Json | None) -> Object:
        spec: Json = {"capacity": {"storage": self.choice(("2Gi", "5Gi"))}, "accessModes": ["ReadWriteOnce"]}
        spec["storageClassName"] = class_
        labels = {ZONE: self.choice(("a", "b__c"))} if self.one_in(4) else {}
        if class_ == "made":
            spec["csi"] = {"driver": DRIVER, "volumeHandle": name}
        else:
            spec["local"] = {"path": "/mnt"}
        if self.one_in(2):
            key, values = self.choice(((ZONE, ["a", "b"]), (HOSTNAME, ["n01", "n02", "n03"])))
            term = {"matchExpressions": [{"key": key, "operator": "In", "values": values}]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
        if kept is not None:
            spec["claimRef"] = kept
        return made(
            PersistentVolume, {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"phase": phase}}
        )

    def limits(self, nodes: int) -> dict[str, dict[str, int]]:
        """How many volumes can be attached to some of the nodes."""
        if "volumes" not in self.kinds:
            return {}
        return {f"n{number:02}": {DRIVER: self.randint(1, 3)} for number in range(nodes) if self.one_in(2)}

    def surroundings(self) -> list[Object]:
        """Namespaces, Services, budgets and storage."""
        found: list[Object] = [
            made(Namespace, {"metadata": {"name": name, "labels": {**labels, "kubernetes.io/metadata.name": name}}})
            for name, labels in NAMESPACES.items()
        ]
        services = self.randint(1, 4) if "built-in spread" in self.kinds else 0
        budgets = self.randint(0, 3) if "priority" in self.kinds else 0
        found += [self.service(number) for number in range(services)]
        found += [self._budget(number) for number in range(budgets)]
        return found + (self.storage() if "volumes" in self.kinds else [])

    def _budget(self, number: int) -> Object:
        metadata = {"name": f"budget-{number}", "namespace": self.choice(tuple(NAMESPACES))}
        status = {"disruptionsAllowed": self.choice((0, 0, 1, 2))}
        return made(
            PodDisruptionBudget, {"metadata": metadata, "spec": {"selector": self._selector()}, "status": status}
        )

    def service(self, number: int) -> Object:
        metadata = {"name": f"service-{number}", "namespace": self.choice(tuple(NAMESPACES))}
        selector = {"app": self.choice(("web", "db", "cache"))} | ({"rev": "1"} if self.one_in(3) else {})
        return made(Service, {"metadata": metadata, "spec": {"selector": selector, "ports": [{"port": 80}]}})


def made(type_: type[AnyObject], written: Json) -> AnyObject:
    """As admission leaves it."""
    found = defaulted(msgspec.convert(written, type_, strict=False))
    if isinstance(found, Pod):
        for plugin in (priority, labelkeys):
            completed = plugin.complete(found, Cache(1))
            assert isinstance(completed, type_)
            found = completed
        return found
    metadata = structs.replace(found.metadata, uid=f"{found.kind}/{found.metadata.namespace}/{found.metadata.name}")
    return structs.replace(found, metadata=metadata)
