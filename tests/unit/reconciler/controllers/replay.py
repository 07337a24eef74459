"""Plays the steps of a recorded controller case on a `World`, as scheduler and kubelet, and reads its states."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
from msgspec import structs

from reconciler.controllers import deployment, garbagecollector, replicaset
from reconciler.controllers.revision import DESIRED, MAX, REVISION
from reconciler.store.changes import ChangeError, Create, Delete, NotFound, Update, UpdateStatus
from schemas.apps import Deployment, ReplicaSet
from schemas.core.container import Container
from schemas.core.pod import Pod
from schemas.core.podstatus import ContainerState, ContainerStateTerminated, ContainerStatus
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME, KINDS
from schemas.meta import Object, Ref, controller_of, ref_of
from tests.unit.reconciler.controllers.world import World, with_phase
from tests.unit.reconciler.recordings import Json

NAMESPACE = "case"
_KIND = {kind.plural: kind.name for kind in KINDS}


class Replay:
    """One case."""

    def __init__(self, mix: str, *, auto: bool) -> None:
        self.world = World((deployment.CONTROLLER, replicaset.CONTROLLER, garbagecollector.CONTROLLER))
        self._mix, self._auto = mix, auto
        self._turn = 0
        self._given: list[str] = []

    def step(self, actions: Sequence[Json], at: float, started: float) -> Json:
        for action in actions:
            self._do(action)
        self._rest()
        self.world.advance(max(0.0, at - started - self._elapsed(actions)), self._rest)
        self._rest()
        return self._deployments() if self._mix == "deployment" else self._replica_sets()

    @staticmethod
    def _elapsed(actions: Sequence[Json]) -> float:
        return sum(float(action.get("wait", 0)) for action in actions)

    def _rest(self) -> None:
        self.world.settle()
        while self._auto and self._remove(self._terminating()):
            self.world.settle()

    def _terminating(self) -> list[Pod]:
        return [pod for pod in self.world.pods() if pod.metadata.deletion_timestamp is not None]

    def _remove(self, pods: Sequence[Pod]) -> bool:
        for pod in pods:
            self.world.delete(ref_of(pod), grace_seconds=0)
        return bool(pods)

    def _do(self, action: Json) -> None:
        verb = next(iter(set(action) & set(self._verbs())))
        self._verbs()[verb](action)

    def _verbs(self) -> dict[str, Callable[[Json], None]]:
        return {
            "create": self._create,
            "patch": self._patch,
            "scale": self._scale,
            "delete": self._delete,
            "ready": self._ready,
            "run": self._run,
            "unready": self._unready,
            "bind": self._bind,
            "fail": lambda action: self._end(action, "fail", "Failed"),
            "succeed": lambda action: self._end(action, "succeed", "Succeeded"),
            "kill": self._kill,
            "finish": self._finish,
            "settle": self._settle,
            "wait": lambda action: self.world.advance(action["wait"], self._rest),
        }

    def _create(self, action: Json) -> None:
        written = dict(action["create"])
        kind = BY_NAME[written["kind"]]
        metadata = {**written.get("metadata", {}), "namespace": NAMESPACE}
        metadata["ownerReferences"] = [self._owner(one) for one in metadata.get("ownerReferences", ())]
        object_ = msgspec.convert({**written, "apiVersion": kind.api_version, "metadata": metadata}, kind.type)
        if isinstance(object_, Pod):
            self._given.append(object_.metadata.name)
        self.world.apply((Create(object_),))

    def _owner(self, reference: Json) -> Json:
        found = self.world.cache.find(Ref(reference["kind"], NAMESPACE, reference["name"]))
        uid = found.metadata.uid if found is not None else "made-up"
        return {"apiVersion": BY_NAME[reference["kind"]].api_version, "uid": uid, **reference}

    def _named(self, path: str) -> Object | None:
        plural, name = path.split("/")
        return self.world.cache.find(Ref(_KIND[plural], NAMESPACE, name))

    def _patch(self, action: Json) -> None:
        found = self._named(action["patch"])
        if found is None:
            return
        merged = _merged(msgspec.to_builtins(found), action["with"])
        changed = defaulted(msgspec.convert(merged, type(found)))
        try:
            self.world.apply((UpdateStatus(changed) if action.get("sub") == "status" else Update(changed),))
        except NotFound:
            return

    def _scale(self, action: Json) -> None:
        found = self._named(action["scale"])
        if isinstance(found, Deployment | ReplicaSet):
            spec = structs.replace(found.spec, replicas=action["replicas"])
            self.world.apply((Update(structs.replace(found, spec=spec)),))

    def _delete(self, action: Json) -> None:
        plural, name = action["delete"].split("/")
        orphan = action.get("propagation") == "Orphan"
        try:
            self.world.apply((Delete(Ref(_KIND[plural], NAMESPACE, name), orphan=orphan),))
        except ChangeError:
            return

    def _taken(self, action: Json, verb: str, fits: Callable[[Pod], bool]) -> list[Pod]:
        wanted = action.get("pods", {})
        found = [pod for pod in self.world.pods() if fits(pod) and self._wanted(pod, wanted)]
        return sorted(found, key=self._order)[: action[verb]]

    def _wanted(self, pod: Pod, wanted: Json) -> bool:
        checks: dict[str, Callable[[Json], bool]] = {
            "name": lambda value: pod.metadata.name == value,
            "node": lambda value: pod.spec.node_name == value,
            "revision": lambda value: self._revision(pod) == str(value),
            "label": lambda value: value in {f"{k}={v}" for k, v in pod.metadata.labels.items()},
        }
        return all(checks[key](value) for key, value in wanted.items())

    def _order(self, pod: Pod) -> tuple[int, int, str]:
        revision = self._revision(pod)
        rank = {"ready": 0, "notReady": 1, "pending": 2}.get(_state(pod).partition("+")[0], 3)
        return int(revision) if revision.isdigit() else 0, rank, pod.metadata.uid

    def _revision(self, pod: Pod) -> str:
        owner = controller_of(pod)
        found = self.world.cache.get(ReplicaSet, NAMESPACE, owner.name) if owner is not None else None
        return found.metadata.annotations.get(REVISION, "None") if found is not None else "None"

    def _bound(self, pod: Pod, node: str | None) -> Pod:
        if pod.spec.node_name:
            return pod
        if node is None:
            node = f"n{self._turn % 3 + 1}"
            self._turn += 1
        bound = structs.replace(pod, spec=structs.replace(pod.spec, node_name=node))
        self.world.apply((Update(bound),))
        return self.world.get(Pod, NAMESPACE, pod.metadata.name)

    def _ready(self, action: Json) -> None:
        for pod in self._taken(action, "ready", lambda one: _live(one) and not _state(one).startswith("ready")):
            self._report(pod, action, ready=True)

    def _run(self, action: Json) -> None:
        for pod in self._taken(action, "run", lambda one: _live(one) and one.status.phase in ("", "Pending")):
            self._report(pod, action, ready=False)

    def _unready(self, action: Json) -> None:
        ending = bool(action.get("terminating"))

        def fits(pod: Pod) -> bool:
            return _state(pod).partition("+")[0] == "ready" and ending == (_live(pod) is False)

        for pod in self._taken(action, "unready", fits):
            self._report(pod, action, ready=False)

    def _bind(self, action: Json) -> None:
        for pod in self._taken(action, "bind", lambda one: _live(one) and not one.spec.node_name):
            self._bound(pod, action.get("node"))

    def _report(self, pod: Pod, action: Json, *, ready: bool) -> None:
        bound = self._bound(pod, action.get("node"))
        since = self.world.now - timedelta(seconds=action.get("readyAgo", 0))
        reported = with_phase(bound, "Running", since, ready=ready)
        restarts = action.get("restarts")
        if restarts is not None:
            statuses = tuple(_container_status(one, ready, restarts) for one in pod.spec.containers)
            reported = structs.replace(reported, status=structs.replace(reported.status, container_statuses=statuses))
        self.world.apply((UpdateStatus(reported),))

    def _end(self, action: Json, verb: str, phase: str) -> None:
        for pod in self._taken(action, verb, _live):
            bound = self._bound(pod, action.get("node"))
            self.world.apply((UpdateStatus(with_phase(bound, phase, self.world.now)),))

    def _kill(self, action: Json) -> None:
        self._remove(self._taken(action, "kill", lambda one: one.metadata.deletion_timestamp is None))

    def _finish(self, action: Json) -> None:
        self._remove(self._taken(action, "finish", lambda one: one.metadata.deletion_timestamp is not None))

    def _settle(self, action: Json) -> None:
        for _ in range(60):
            self._rest()
            removed = self._remove(self._terminating())
            waiting = [
                pod
                for pod in self.world.pods()
                if _live(pod)
                and not _state(pod).startswith("ready")
                and not any("broken" in one.image for one in pod.spec.containers)
            ]
            for pod in sorted(waiting, key=self._order):
                self._report(pod, {}, ready=True)
            self.world.advance(0.3, self._rest)
            if not removed and not waiting:
                return

    def _deployments(self) -> Json:
        found = self.world.cache.list(Deployment, NAMESPACE)
        sets = {self._number(one): self._told(one) for one in self.world.cache.list(ReplicaSet, NAMESPACE)}
        pods: dict[str, Counter[str]] = {}
        for pod in self.world.pods(NAMESPACE):
            pods.setdefault(self._revision(pod), Counter())[_state(pod)] += 1
        state: Json = {"replicaSets": sets, "pods": {key: dict(value) for key, value in pods.items()}}
        if found:
            state["deployment"] = self._deployment(found[0])
        return state

    @staticmethod
    def _number(one: ReplicaSet) -> str:
        return one.metadata.annotations.get(REVISION, "None")

    def _told(self, one: ReplicaSet) -> Json:
        status = msgspec.to_builtins(one.status)
        status.pop("observedGeneration", None)
        told = {"replicas": one.spec.replicas, "status": status}
        if one.spec.template is not None and one.spec.template.spec is not None:
            told["image"] = one.spec.template.spec.containers[0].image
        annotations = one.metadata.annotations
        return told | {"desired": annotations.get(DESIRED), "max": annotations.get(MAX)}

    def _deployment(self, one: Deployment) -> Json:
        status = msgspec.to_builtins(one.status)
        for left_out in ("observedGeneration", "conditions"):
            status.pop(left_out, None)
        conditions = [
            [each.type, each.status, each.reason, self._plain(each.message)] for each in one.status.conditions
        ]
        return {
            "replicas": one.spec.replicas,
            "status": status,
            "conditions": sorted(conditions),
            "revision": one.metadata.annotations.get(REVISION),
        }

    def _plain(self, message: str) -> str:
        sets = {one.metadata.name: self._number(one) for one in self.world.cache.list(ReplicaSet, NAMESPACE)}
        return re.sub(r"web-\w+", lambda name: f"web-<revision {sets.get(name[0], name[0])}>", message)

    def _replica_sets(self) -> Json:
        sets = {}
        for one in self.world.cache.list(ReplicaSet, NAMESPACE):
            told = self._told(one)
            sets[one.metadata.name] = {"replicas": told["replicas"], "status": told["status"]}
        pods, made = {}, dict[str, Counter[str]]()
        for pod in self.world.pods(NAMESPACE):
            owner = controller_of(pod)
            if pod.metadata.name in self._given:
                pods[pod.metadata.name] = [_state(pod), owner.name if owner is not None else None]
            else:
                made.setdefault(owner.name if owner is not None else "None", Counter())[_state(pod)] += 1
        return {"replicaSets": sets, "pods": pods, "made": {key: dict(value) for key, value in made.items()}}


def _live(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")


def _state(pod: Pod) -> str:
    phase = pod.status.phase
    if phase in ("Succeeded", "Failed"):
        state = phase.lower()
    elif phase == "Running":
        ready = any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)
        state = "ready" if ready else "notReady"
    else:
        state = "pending"
    return state + ("+terminating" if pod.metadata.deletion_timestamp is not None else "")


def _container_status(container: Container, ready: bool, restarts: int) -> ContainerStatus:
    ended = ContainerState(terminated=ContainerStateTerminated(exit_code=1)) if restarts else None
    return ContainerStatus(
        image=container.image,
        image_id="",
        name=container.name,
        ready=ready,
        restart_count=restarts,
        last_state=ended,
    )


def _merged(target: Json, patch: Json) -> Json:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
