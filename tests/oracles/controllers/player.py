"""Plays a case on a `World`: the script as scheduler and kubelet, the real controllers, a clock turned by hand."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from reconciler.api.status import StatusError
from reconciler.store.changes import Delete, Update, UpdateStatus
from schemas.core.pod import Pod
from schemas.meta import ref_of
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix, Verb
from tests.oracles.controllers.server import Server, refusal
from tests.unit.reconciler.controllers.world import World

_ROUNDS = 60
_PAUSE = 0.3
_KILLED = 137


class Player:
    """One case being played. Verbs take the player and the action."""

    def __init__(self, mix: Mix, *, auto: bool) -> None:
        self.mix, self._auto = mix, auto
        self.world = World(mix.controllers)
        self.world.create(*mix.setting())
        self.world.settle()
        self.server = Server(self.world)
        self.turn = 0
        self.given: list[str] = []
        """Names of the objects that the case itself has created."""
        self._elapsed = 0.0
        self._verbs: Mapping[str, Verb] = {**VERBS, **mix.verbs}

    def step(self, actions: Sequence[Json], seconds: float) -> Json:
        """The state after the actions, the step having lasted that long."""
        refused: list[Json] = []
        self._elapsed = 0.0
        self.wait(self._lead(actions, seconds))
        for action in actions:
            try:
                self._do(action)
            except StatusError as error:
                refused.append(refusal(error))
        self.rest()
        self.wait(max(0.0, seconds - self._elapsed))
        self.rest()
        state = self.mix.state(self)
        return {**state, "refused": refused} if refused else state

    def _lead(self, actions: Sequence[Json], seconds: float) -> float:
        """How long before its last change a step began. All of its changes are played then: their time counts."""
        if self.mix.resting is None:
            return 0.0
        waits = sum(float(action.get("wait", 0.0)) for action in actions)
        return max(0.0, seconds - self.mix.resting - waits)

    def _do(self, action: Json) -> None:
        verb = next(name for name in action if name in self._verbs)
        self._verbs[verb](self, action)

    def wait(self, seconds: float) -> None:
        self.rest()
        self._elapsed += seconds
        self.world.advance(seconds, self.rest)

    def rest(self) -> None:
        """Until no controller has anything left to do, and nothing is left that ends at once."""
        self.world.settle()
        while self._auto and self.remove(self.terminating()):
            self.world.settle()

    def terminating(self) -> list[Pod]:
        return [pod for pod in self.world.pods(NAMESPACE) if pod.metadata.deletion_timestamp is not None]

    def remove(self, found: Sequence[Pod]) -> bool:
        """Gone at once. Whether there was anything that could go."""
        before = self.world.commits
        for pod in found:
            if self.world.cache.find(ref_of(pod)) is not None:
                self.world.delete(ref_of(pod), grace_seconds=0)
        return self.world.commits > before

    def taken(self, action: Json, verb: str, fits: Callable[[Pod], bool]) -> list[Pod]:
        """Up to k of the pods that fit, in the recorder's order."""
        wanted = action.get("pods", {})
        found = [pod for pod in self.world.pods(NAMESPACE) if fits(pod) and self._is(pod, wanted)]
        return sorted(found, key=self.order)[: action[verb]]

    def _is(self, pod: Pod, wanted: Json) -> bool:
        checks: dict[str, Callable[[Json], bool]] = {
            "name": lambda value: pod.metadata.name == value,
            "ordinal": lambda value: ordinal(pod) == value,
            "index": lambda value: index(pod) == value,
            "node": lambda value: self.mix.node(self, pod) == value if self.mix.by_node else _on(pod, value),
            "revision": lambda value: self.mix.revision(self, pod) == str(value),
            "label": lambda value: value in {f"{key}={text}" for key, text in pod.metadata.labels.items()},
        }
        return all(checks[key](value) for key, value in wanted.items())

    def order(self, pod: Pod) -> tuple[str, int, int, int, int, str]:
        """`[node name,] revision, completion index, ordinal, then ready < … < ended, then oldest first`."""
        revision = self.mix.revision(self, pod)
        return (
            self.mix.node(self, pod) if self.mix.by_node else "",
            int(revision) if revision.isdigit() else 0,
            index(pod) if index(pod) is not None else -1,  # type: ignore[return-value]
            ordinal(pod),
            pods.rank(pod),
            pod.metadata.uid,
        )

    def bound(self, pod: Pod, node: str | None) -> Pod:
        if not pod.spec.node_name:
            spec = structs.replace(pod.spec, node_name=node or self.mix.node(self, pod))
            self.world.apply((Update(structs.replace(pod, spec=spec)),))
        return self.world.get(Pod, NAMESPACE, pod.metadata.name)

    def report(self, pod: Pod, action: Json, *, ready: bool) -> None:
        bound = self.bound(pod, action.get("node"))
        self.world.apply((UpdateStatus(pods.running(bound, action, self.world.now, is_ready=ready)),))

    def over(self, pod: Pod, action: Json, phase: str, code: int) -> None:
        bound = self.bound(pod, action.get("node"))
        reason, types = action.get("reason", ""), action.get("conditions", ())
        self.world.apply((UpdateStatus(pods.over(bound, phase, self.world.now, code, reason, types)),))


def index(pod: Pod) -> int | None:
    """The completion index."""
    written = pod.metadata.annotations.get("batch.kubernetes.io/job-completion-index", "")
    return int(written) if written.isdigit() else None


def ordinal(pod: Pod) -> int:
    """The ordinal within a StatefulSet, -1 without one."""
    written = pod.metadata.labels.get("apps.kubernetes.io/pod-index", "")
    return int(written) if written.isdigit() else -1


def _on(pod: Pod, node: str) -> bool:
    return pod.spec.node_name == node


def _create(player: Player, action: Json) -> None:
    player.given.append(action["create"]["metadata"].get("name", ""))
    player.server.create(action["create"])


def _delete(player: Player, action: Json) -> None:
    player.server.delete(action["delete"], action.get("propagation"))


def _ready(player: Player, action: Json) -> None:
    for pod in player.taken(action, "ready", lambda one: pods.going(one) and pods.rested(one) != "ready"):
        player.report(pod, action, ready=True)


def _run(player: Player, action: Json) -> None:
    for pod in player.taken(action, "run", lambda one: pods.going(one) and pods.rested(one) == "pending"):
        player.report(pod, action, ready=False)


def _unready(player: Player, action: Json) -> None:
    ending = bool(action.get("terminating"))

    def fits(pod: Pod) -> bool:
        return pods.rested(pod) == "ready" and ending == (pod.metadata.deletion_timestamp is not None)

    for pod in player.taken(action, "unready", fits):
        player.report(pod, action, ready=False)


def _bind(player: Player, action: Json) -> None:
    for pod in player.taken(action, "bind", lambda one: pods.going(one) and not one.spec.node_name):
        player.bound(pod, action.get("node"))


def _fail(player: Player, action: Json) -> None:
    for pod in player.taken(action, "fail", pods.going):
        player.over(pod, action, "Failed", action.get("exitCode", 1))


def _succeed(player: Player, action: Json) -> None:
    for pod in player.taken(action, "succeed", pods.going):
        player.over(pod, action, "Succeeded", 0)


def _kill(player: Player, action: Json) -> None:
    player.remove(player.taken(action, "kill", lambda one: one.metadata.deletion_timestamp is None))


def _ask(player: Player, action: Json) -> None:
    for pod in player.taken(action, "ask", lambda one: one.metadata.deletion_timestamp is None):
        player.server.apply(Delete(ref_of(pod)))


def _finish(player: Player, action: Json) -> None:
    found = player.taken(action, "finish", lambda one: one.metadata.deletion_timestamp is not None)
    if phase := action.get("phase"):
        for pod in found:
            player.over(pod, action, phase, _KILLED if phase == "Failed" else 0)
    player.remove(found)


def _settle(player: Player, action: Json) -> None:
    for _ in range(_ROUNDS):
        player.rest()
        removed = player.remove(player.terminating())
        waiting = [pod for pod in player.world.pods(NAMESPACE) if pods.going(pod) and pods.rested(pod) != "ready"]
        sound = [pod for pod in waiting if not any("broken" in one.image for one in pod.spec.containers)]
        for pod in sorted(sound, key=player.order):
            player.report(pod, {}, ready=True)
        player.wait(_PAUSE)
        if not removed and not sound:
            return


VERBS: Mapping[str, Verb] = {
    "create": _create,
    "patch": lambda player, action: player.server.patch(action["patch"], action["with"], action.get("sub", "")),
    "scale": lambda player, action: player.server.scale(action["scale"], action["replicas"]),
    "delete": _delete,
    "ready": _ready,
    "run": _run,
    "unready": _unready,
    "bind": _bind,
    "fail": _fail,
    "succeed": _succeed,
    "kill": _kill,
    "ask": _ask,
    "finish": _finish,
    "settle": _settle,
    "wait": lambda player, action: player.wait(action["wait"]),
}
