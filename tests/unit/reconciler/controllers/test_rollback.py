"""A rollout that misses its deadline gives way to the last revision that was healthy."""

import pytest
from msgspec import structs

from reconciler.controllers import deployment, replicaset
from reconciler.controllers.rollback import ROLLBACK
from reconciler.store.changes import Update
from schemas.apps import Deployment, ReplicaSet
from schemas.core.event import Event
from tests.unit.reconciler.controllers import builders
from tests.unit.reconciler.controllers.world import World, make_ready, remove_terminating

DEADLINE = 60


def world(*, auto: bool = True, strategy: str = "RollingUpdate", history: int = 10) -> World:
    """With a healthy first revision."""
    made = World((deployment.CONTROLLER, replicaset.CONTROLLER))
    declared = builders.deployment(3, strategy=strategy)
    annotations = {ROLLBACK: "auto"} if auto else {}
    spec = structs.replace(declared.spec, progress_deadline_seconds=DEADLINE, revision_history_limit=history)
    metadata = structs.replace(declared.metadata, annotations=annotations)
    made.create(structs.replace(declared, metadata=metadata, spec=spec))
    run(made)
    return made


def run(made: World) -> None:
    """Agents at work: pods come up, unless their image is broken, and end when they are told to."""
    for _ in range(20):
        made.settle()
        waiting = [pod for pod in made.pods() if pod.status.phase != "Running" and image(pod) != "broken"]
        make_ready(made, waiting)
        if not remove_terminating(made) and not waiting:
            return


def image(found: object) -> str:
    return str(found.spec.containers[0].image)  # type: ignore[attr-defined]


def declare(made: World, to: str, replicas: int = 3) -> None:
    found = made.get(Deployment, "default", "web")
    spec = structs.replace(found.spec, template=builders.template(to), replicas=replicas)
    made.apply((Update(structs.replace(found, spec=spec)),))
    run(made)


def miss_the_deadline(made: World) -> None:
    made.advance(DEADLINE + 5)
    run(made)


def running(made: World) -> list[str]:
    return sorted(image(pod) for pod in made.pods())


def conditions(made: World) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in made.get(Deployment, "default", "web").status.conditions}


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_it_goes_back_and_stays_there(strategy: str) -> None:
    made = world(strategy=strategy)
    declare(made, "broken")
    assert "broken" in running(made)
    miss_the_deadline(made)
    assert running(made) == ["app:1"] * 3
    assert image(made.get(Deployment, "default", "web").spec.template) == "broken"
    assert conditions(made) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("False", "ProgressDeadlineExceeded"),
        "RolledBack": ("True", "ProgressDeadlineExceeded"),
    }
    told = [one for one in made.cache.list(Event) if one.reason == "RolledBack"]
    assert len(told) == 1
    assert told[0].message.startswith("Revision 2 (ReplicaSet ")
    before = made.commits
    made.restart([*made.cache.list(Deployment), *made.cache.list(ReplicaSet)])
    made.advance(10 * DEADLINE)
    run(made)
    assert made.commits == before


def test_without_the_annotation_it_stays_where_it_is() -> None:
    made = world(auto=False)
    declare(made, "broken")
    miss_the_deadline(made)
    assert "broken" in running(made)
    assert "RolledBack" not in conditions(made)


def test_a_changed_template_is_tried() -> None:
    made = world()
    declare(made, "broken")
    miss_the_deadline(made)
    declare(made, "app:3")
    assert running(made) == ["app:3"] * 3
    assert conditions(made)["Progressing"] == ("True", "NewReplicaSetAvailable")
    assert "RolledBack" not in conditions(made)


def test_a_change_of_anything_else_is_carried_out_on_what_runs() -> None:
    made = world()
    declare(made, "broken")
    miss_the_deadline(made)
    declare(made, "broken", replicas=5)
    assert running(made) == ["app:1"] * 5
    assert conditions(made)["RolledBack"][0] == "True"


def test_what_failed_is_tried_again_after_the_manifest_was_another_one() -> None:
    made = world()
    declare(made, "broken")
    miss_the_deadline(made)
    declare(made, "app:1")
    assert "RolledBack" not in conditions(made)
    declare(made, "broken")
    assert "broken" in running(made)
    miss_the_deadline(made)
    assert running(made) == ["app:1"] * 3


def test_a_second_failure_goes_back_to_the_same_healthy_revision() -> None:
    made = world(history=0)
    declare(made, "broken")
    miss_the_deadline(made)
    found = made.get(Deployment, "default", "web")
    template = builders.template("broken", {**builders.LABELS, "again": "yes"})
    made.apply((Update(structs.replace(found, spec=structs.replace(found.spec, template=template))),))
    run(made)
    assert "broken" in running(made)
    miss_the_deadline(made)
    assert running(made) == ["app:1"] * 3


def test_a_first_revision_has_nothing_to_go_back_to() -> None:
    made = World((deployment.CONTROLLER, replicaset.CONTROLLER))
    declared = builders.deployment(2, image="broken")
    spec = structs.replace(declared.spec, progress_deadline_seconds=DEADLINE)
    metadata = structs.replace(declared.metadata, annotations={ROLLBACK: "auto"})
    made.create(structs.replace(declared, metadata=metadata, spec=spec))
    run(made)
    miss_the_deadline(made)
    assert running(made) == ["broken"] * 2
    assert "RolledBack" not in conditions(made)


def test_without_the_annotation_any_more_the_rollout_goes_on() -> None:
    made = world()
    declare(made, "broken")
    miss_the_deadline(made)
    found = made.get(Deployment, "default", "web")
    made.apply((Update(structs.replace(found, metadata=structs.replace(found.metadata, annotations={}))),))
    run(made)
    assert "broken" in running(made)
