"""Generated edits of a folder of manifests, as people make them; the same seed makes the same edits."""

import json
import random
from collections.abc import Callable
from typing import Any

ZONES = ("hall", "yard", "roof")
Json = dict[str, Any]


class Folder:
    """Files by name. `edit` changes one thing, and says what."""

    def __init__(self, seed: int, workloads: int, replicas: int) -> None:
        self.random = random.Random(seed)
        self.objects: dict[str, Json] = {}
        self.broken: dict[str, str] = {}
        self.made = 0
        for _ in range(workloads):
            self.add("Deployment", replicas)
        for _ in range(8):
            self.add("ConfigMap")
        self.objects["ns.yaml"] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}

    def files(self) -> dict[str, str]:
        return {name: json.dumps(one) for name, one in self.objects.items()} | self.broken

    def edit(self) -> str:
        kinds: list[tuple[int, Callable[[], str]]] = [
            (5, self._scale),
            (4, self._image),
            (2, self._environment),
            (3, self._requests),
            (3, self._node_selector),
            (2, self._template_label),
            (2, self._strategy),
            (2, self._reference),
            (2, self._annotation),
            (2, self._delete),
            (3, lambda: self.add("Deployment", self.random.randint(1, 12))),
            (2, lambda: self.add("ConfigMap")),
            (1, lambda: self.add("Secret")),
            (1, lambda: self.add("Service")),
            (1, lambda: self.add("ReplicaSet", self.random.randint(1, 4))),
            (1, lambda: self.add("Pod")),
            (3, self._configuration),
            (2, self._break),
            (2, self._mend),
        ]
        weights = [weight for weight, _ in kinds]
        return self.random.choices([act for _, act in kinds], weights)[0]()

    # What there is

    def add(self, kind: str, replicas: int = 1) -> str:
        self.made += 1
        name = f"{self.random.choice(('web', 'api', 'api-web', 'job'))}-{self.made}"
        namespace = "shop" if kind != "Pod" and self.random.random() < 0.3 else "default"
        written: Json = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
        labels = {"app": name}
        pod = {"containers": [{"name": "main", "image": self._any_image()}]}
        if kind == "Pod":
            written["spec"] = pod
        elif kind in ("ConfigMap", "Secret"):
            written["data"] = {"a": "MQ==", "b": "Mg=="}
        elif kind == "Service":
            written["spec"] = {"selector": labels, "ports": [{"port": 80}]}
        else:
            written["apiVersion"] = "apps/v1"
            template = {"metadata": {"labels": dict(labels)}, "spec": pod}
            written["spec"] = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
            self._ask(written, self.random.choice((100, 150, 250)))
        self.objects[f"{name}.yaml"] = written
        return f"add {kind} {name} {replicas}"

    def _any_image(self) -> str:
        return f"{self.random.choice(('web', 'api', 'db'))}:{self.random.randint(1, 9)}"

    def _any(self, *kinds: str) -> tuple[str, Json]:
        names = [name for name, one in self.objects.items() if one["kind"] in kinds and name not in self.broken]
        name = self.random.choice(names)
        return name, self.objects[name]

    def _deployment(self) -> tuple[str, Json, Json]:
        name, one = self._any("Deployment")
        return name, one, one["spec"]["template"]["spec"]

    @staticmethod
    def _ask(one: Json, milli: int) -> None:
        resources = {"requests": {"cpu": f"{milli}m", "memory": f"{milli}Mi"}}
        one["spec"]["template"]["spec"]["containers"][0]["resources"] = resources

    # What is done to it

    def _scale(self) -> str:
        name, one = self._any("Deployment", "ReplicaSet")
        one["spec"]["replicas"] = replicas = self.random.choice((0, 1, 2, 5, 8, 8, 9, 12, 16))
        return f"scale {name} to {replicas}"

    def _image(self) -> str:
        name, _, pod = self._deployment()
        pod["containers"][0]["image"] = image = self._any_image()
        return f"image of {name}: {image}"

    def _environment(self) -> str:
        name, _, pod = self._deployment()
        pod["containers"][0]["env"] = [{"name": "LEVEL", "value": str(self.random.randint(1, 99))}]
        return f"environment of {name}"

    def _requests(self) -> str:
        name, one, _ = self._deployment()
        milli = self.random.choice((50, 100, 200, 300, 500, 2_500, 9_000))
        self._ask(one, milli)
        return f"requests of {name}: {milli}"

    def _node_selector(self) -> str:
        name, _, pod = self._deployment()
        zone = self.random.choice((*ZONES, *ZONES, "nowhere", ""))
        pod["nodeSelector"] = {"zone": zone} if zone else {}
        return f"node selector of {name}: {zone or 'none'}"

    def _template_label(self) -> str:
        name, one, _ = self._deployment()
        one["spec"]["template"]["metadata"]["labels"]["tier"] = tier = f"t{self.random.randint(1, 9)}"
        return f"template label of {name}: {tier}"

    def _strategy(self) -> str:
        name, one, _ = self._deployment()
        rolling = {"maxSurge": self.random.choice((0, 1, "50%")), "maxUnavailable": self.random.choice((1, 2, "30%"))}
        one["spec"]["strategy"] = self.random.choice(
            ({"type": "Recreate"}, {"type": "RollingUpdate", "rollingUpdate": rolling})
        )
        one["spec"]["template"]["spec"]["containers"][0]["image"] = self._any_image()
        return f"strategy and image of {name}: {one['spec']['strategy']}"

    def _reference(self) -> str:
        """To a ConfigMap that is there, or is not."""
        name, one, pod = self._deployment()
        maps = [
            each["metadata"]["name"]
            for each in self.objects.values()
            if each["kind"] == "ConfigMap" and each["metadata"]["namespace"] == one["metadata"]["namespace"]
        ]
        wanted = self.random.choice((*maps, "missing"))
        pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": wanted}}]
        return f"{name} reads ConfigMap {wanted}"

    def _annotation(self) -> str:
        name, one = self._any("Deployment", "ConfigMap")
        one["metadata"]["annotations"] = {"note": str(self.random.randint(1, 99))}
        return f"annotation of {name}"

    def _configuration(self) -> str:
        name, one = self._any("ConfigMap")
        one["data"]["a"] = str(self.random.randint(1, 999))
        return f"content of {name}"

    def _delete(self) -> str:
        name, one = self._any("Deployment", "ConfigMap")
        del self.objects[name]
        return f"delete {one['kind']} {name}"

    def _break(self) -> str:
        name, one = self._any("Deployment", "ConfigMap")
        text = json.dumps(one)
        self.broken[name] = self.random.choice(
            (
                "kind: [",  # no document at all
                text.replace('"metadata"', '"metadata": {}, "metadata"', 1),  # the object can still be told
                '{"surplus": 1, ' + text[1:],
            )
        )
        return f"break {name}"

    def _mend(self) -> str:
        if not self.broken:
            return self._image()
        name = self.random.choice(sorted(self.broken))
        del self.broken[name]
        return f"mend {name}"
