import json

import msgspec
import pytest

from reconciler.manifests.documents import SourceFault
from reconciler.plan import markdown, text
from reconciler.plan.command import printed
from reconciler.plan.outcome import FieldChange, Forecast, ObjectChange, Pending, PodChange, Pull, Summary, Workload
from tests.unit.reconciler.plan.builders import THREE, deployment, manifest, planned

PLAN = Forecast(
    summary=Summary(changed=1, deleted=1, restarted=3, moved=1, pending=2, pulls=2),
    dangers=("1 object would be deleted: ConfigMap default/page",),
    objects=(
        ObjectChange(
            action="delete", kind="ConfigMap", namespace="default", name="page", reason="no file declares it any more"
        ),
        ObjectChange(
            action="change",
            kind="Deployment",
            namespace="default",
            name="web",
            place="web.yaml:2",
            fields=(
                FieldChange("spec.replicas", 3, 6),
                FieldChange("spec.template.spec.containers[main].image", "web:1", "web:2"),
                FieldChange("metadata.labels[tier]", None, "front"),
            ),
        ),
    ),
    workloads=(
        Workload(
            kind="Deployment",
            namespace="default",
            name="web",
            wanted_before=4,
            wanted_after=6,
            ready_before=4,
            ready_after=4,
            lowest_ready=3,
            pods=(
                PodChange(verb="restart", count=2, node="n1", images=("web:2",)),
                PodChange(verb="restart", count=1, node="n2", images=("web:2",)),
                PodChange(verb="move", count=1, node="n3", from_node="n2", images=("web:2",)),
            ),
            pending=(Pending(count=2, reason="0/3 nodes are available: 3 Insufficient cpu.", is_new=True),),
        ),
    ),
    pulls=(Pull("n1", "web:2", 12_900_000), Pull("n2", "web:2", 12_900_000), Pull("n3", "tool:1", None)),
)

TEXT = """\
Objects: 1 changed, 1 deleted. Pods: 3 restart, 1 moves, 2 Pending.

Dangers
  ! 1 object would be deleted: ConfigMap default/page

Objects
  - ConfigMap default/page  no file declares it any more
  ~ Deployment default/web  web.yaml:2
      spec.replicas: 3 -> 6
      spec.template.spec.containers[main].image: "web:1" -> "web:2"
      metadata.labels[tier]: (not set) -> "front"

Pods
  Deployment default/web: 4 of 6 Ready, at least 3 on the way
      3 pods restart with image web:2 (2 on n1, 1 on n2)
      1 pod moves with image web:2 (1 n2 -> n3)
      2 pods Pending: 0/3 nodes are available: 3 Insufficient cpu.

Images to pull
  web:2   12.3 MiB      n1, n2
  tool:1  size unknown  n3"""


def test_the_text_says_what_is_dangerous_first() -> None:
    assert text.say(PLAN) == TEXT


def test_no_change_is_one_line() -> None:
    assert text.say(Forecast()) == "No changes: the cluster is as this folder declares it."


def test_json_has_every_field_of_the_documented_shape() -> None:
    told = json.loads(printed(PLAN, "json"))
    assert set(told) == {"summary", "dangers", "notes", "objects", "workloads", "pulls", "faults"}
    assert told["summary"]["heldBack"] == 0
    assert told["objects"][1]["fields"][0] == {"path": "spec.replicas", "before": 3, "after": 6}
    assert told["workloads"][0]["pods"][2] == {
        "verb": "move",
        "count": 1,
        "node": "n3",
        "fromNode": "n2",
        "images": ["web:2"],
    }
    assert told["workloads"][0]["pending"][0]["isNew"] is True
    assert told["pulls"][2] == {"node": "n3", "image": "tool:1", "sizeBytes": None}
    assert msgspec.json.decode(printed(PLAN, "json"), type=Forecast) == PLAN


def test_markdown_has_a_summary_tables_and_diffs() -> None:
    said = markdown.say(PLAN)
    assert said.startswith(f"{markdown.MARK}\n### Wherry plan\n\n**Objects: 1 changed, 1 deleted.")
    assert "| - | ConfigMap default/page | no file declares it any more |" in said
    assert "3 pods restart with image web:2 (2 on n1, 1 on n2)<br>1 pod moves" in said
    assert "```diff\n@@ Deployment default/web @@\n- spec.replicas: 3\n+ spec.replicas: 6\n" in said
    assert '\n+ metadata.labels[tier]: "front"\n```' in said
    assert said.count("```") % 2 == 0


def test_markdown_stays_within_what_a_comment_takes() -> None:
    one = PLAN.objects[1]
    many = tuple(msgspec.structs.replace(one, name=f"web-{number}") for number in range(3_000))
    said = markdown.say(msgspec.structs.replace(PLAN, objects=many))
    assert len(said) <= 60_000
    assert "The rest is left out" in said
    assert said.count("```") % 2 == 0


def test_one_huge_field_does_not_hide_the_plan() -> None:
    field = FieldChange("data[page]", "x" * 500_000, "y" * 500_000)
    said = markdown.say(
        msgspec.structs.replace(PLAN, objects=(msgspec.structs.replace(PLAN.objects[1], fields=(field,)),))
    )
    assert len(said) <= 60_000
    assert "data[page]" in said
    assert "(500002 characters)" in said


@pytest.mark.parametrize("hostile", ["a|b", "<img src=x>", "@everyone", "[a](http://b)", "line\nbreak", "`x`"])
def test_what_manifests_say_is_never_markup(hostile: str) -> None:
    fault = SourceFault("a.yaml", 1, "Deployment/web", "spec", hostile)
    reason = msgspec.structs.replace(PLAN.objects[0], reason=hostile)
    said = markdown.say(msgspec.structs.replace(PLAN, faults=(fault,), objects=(reason,)))
    assert "<img" not in said.replace("\\<", "")
    assert "@everyone" not in said
    assert "[a](http" not in said.replace("\\", "\0")
    assert "line\nbreak" not in said
    rows = [line for line in said.splitlines() if line.startswith("| - |")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 4


def test_a_fenced_block_cannot_be_left_by_a_value() -> None:
    plan = planned(
        THREE,
        (manifest("ConfigMap", "a", data={"k": "1"}),),
        manifest("ConfigMap", "a", data={"k": "```\n# hello"}),
    )
    assert markdown.say(plan).count("```") == 2


def test_many_nodes_are_summed_up() -> None:
    nodes = tuple(PodChange(verb="start", count=1, node=f"n{number}", images=("web:1",)) for number in range(40))
    plan = msgspec.structs.replace(PLAN, workloads=(msgspec.structs.replace(PLAN.workloads[0], pods=nodes),))
    assert (
        "40 pods start with image web:1 (1 on n0, 1 on n1, 1 on n10, 1 on n11, 1 on n12, 1 on n13, 34 elsewhere)"
        in (text.say(plan))
    )


def test_many_fields_are_summed_up() -> None:
    env = [{"name": f"A{number}", "value": "1"} for number in range(30)]
    plan = planned(
        THREE, (deployment(container={"env": env}),), deployment(container={"env": [{**e, "value": "2"} for e in env]})
    )
    assert "and 10 more fields" in text.say(plan)
