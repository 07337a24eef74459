"""Cases of the mix `job`."""

import re
from collections import Counter

import msgspec

from reconciler.controllers import garbagecollector, job, jobtracking, podgc, ttl
from reconciler.controllers.jobpods import FAILURES, tracked
from schemas.batch import Job
from schemas.core.pod import Pod
from tests.oracles.controllers import pods
from tests.oracles.controllers.mix import NAMESPACE, Json, Mix
from tests.oracles.controllers.player import Player, index


def state(player: Player) -> Json:
    found: dict[str, Counter[str]] = {}
    for pod in player.world.pods(NAMESPACE):
        number = index(pod)
        found.setdefault("all" if number is None else f"index {number}", Counter())[_told(pod)] += 1
    return {
        "jobs": {one.metadata.name: _job(one) for one in player.world.cache.list(Job, NAMESPACE)},
        "pods": {key: dict(value) for key, value in found.items()},
    }


def _told(pod: Pod) -> str:
    failures = pod.metadata.annotations.get(FAILURES, "0")
    return pods.state(pod) + "+tracked" * tracked(pod) + (f" failures={failures}" if failures != "0" else "")


def _job(one: Job) -> Json:
    status = msgspec.to_builtins(one.status)
    status.pop("conditions", None)
    uncounted = status.pop("uncountedTerminatedPods", {})
    times = {"hasStartTime": "startTime", "hasCompletionTime": "completionTime"}
    told = {name: status.pop(key, None) is not None for name, key in times.items()}
    conditions = [[each.type, each.status, each.reason, _plain(each.message)] for each in one.status.conditions]
    return {
        "status": {**status, **told, **({"uncounted": uncounted} if uncounted else {})},
        "conditions": sorted(conditions),
    }


def _plain(message: str) -> str:
    """The name of a pod is random at its end."""
    return re.sub(rf"{NAMESPACE}/([\w-]+)-\w{{5}}\b", r"NS/\1-<random>", message)


MIX = Mix(
    controllers=(
        job.CONTROLLER,
        jobtracking.CONTROLLER,
        ttl.CONTROLLER,
        garbagecollector.CONTROLLER,
        podgc.CONTROLLER,
    ),
    state=state,
    resting=2.1,
    differences={
        "job-a136": "the deadline of 3 s falls between a failure and its replacement, which here is there at once",
    },
)
