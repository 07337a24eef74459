"""What the server answers of a folder and its cluster, and what a person reads of it."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reconciler.answers import Answers, named
from reconciler.api.status import StatusError
from reconciler.difftext import NOTHING, say_diff
from reconciler.historytext import say_history
from reconciler.manifests.git.status import GitStatus
from reconciler.store.changes import Delete
from schemas.dependson import DEPENDS_ON
from schemas.meta import Ref
from tests.unit.reconciler.manifests.builders import Lab, cluster_in, config_map, config_ref, deployment, syncing

WEB = Ref("Deployment", "default", "web")


class Asked:
    """A folder that is followed, and the answers about it as a client has them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.source: GitStatus | None = None
        self._answers = Answers(lab.sync, lab.cluster.store, lambda: {"version": "1"}, lambda: self.source)

    async def __call__(self, name: str, **query: str) -> Any:  # noqa: ANN401
        return msgspec.json.decode(msgspec.json.encode(await self._answers.by_name[name](query)))

    async def standing(self) -> dict[str, tuple[str, str]]:
        """Of each object: whether it is synced, and healthy."""
        objects = (await self("status", objects="all"))["objects"]
        return {f"{one['kind']}/{one['name']}": (one["synced"], one["health"]) for one in objects}


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    folder = tmp_path / "m"
    folder.mkdir()
    async with cluster_in(tmp_path / "data") as cluster, syncing(cluster, folder) as lab:
        yield Asked(lab)


async def test_a_folder_that_is_there_and_well_has_converged(asked: Asked) -> None:
    asked.lab.write("a.yaml", config_map("a"))
    await asked.lab.until(lambda: asked.lab.value("a"))
    answer = await asked("status", objects="all")
    assert answer["convergence"] == {
        "converged": True,
        "objects": 1,
        "synced": 1,
        "healthy": 1,
        "pending": [],
        "pendingCount": 0,
    }
    (one,) = answer["objects"]
    assert (one["file"], one["line"], one["synced"], one["health"]) == ("a.yaml", 1, "Yes", "Healthy")
    assert answer["version"] == "1"
    assert "objects" not in await asked("status")


async def test_what_git_cannot_fetch_has_not_converged(asked: Asked) -> None:
    asked.source = GitStatus(url="u", ref="r", error="gone")
    assert not (await asked("status"))["convergence"]["converged"]
    asked.source = GitStatus(url="u", ref="r")
    assert (await asked("status"))["convergence"]["converged"]


async def test_each_object_says_how_it_stands(asked: Asked) -> None:
    lab = asked.lab
    lab.write("web.yaml", deployment("web"))
    lab.write(
        "after.yaml",
        config_map("after").replace("{name: after}", f"{{name: after, annotations: {{{DEPENDS_ON}: Deployment/web}}}}"),
    )
    lab.write("good.yaml", config_map("good"))
    lab.write(
        "held.yaml",
        config_map("held").replace("{name: held}", "{name: held, annotations: {wherry.dev/prune: 'false'}}"),
    )
    lab.write("bad.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: 3\n")
    await lab.until(lambda: lab.value("held") and lab.sync.status.faults and lab.cluster.cache.find(WEB))
    await lab.pass_after(
        lambda: lab.write("good.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\ndata: 3\n")
    )
    await lab.pass_after((lab.folder / "held.yaml").unlink)
    assert await asked.standing() == {
        "ConfigMap/after": ("Waiting", "Missing"),
        "ConfigMap/bad": ("Fault", "Missing"),
        "ConfigMap/good": ("Fault", "Healthy"),
        "ConfigMap/held": ("Held", "Healthy"),
        "Deployment/web": ("Yes", "Progressing"),
    }
    status = await asked("status", objects="all")
    reasons = {one["name"]: one["reason"] for one in status["objects"]}
    assert reasons["after"] == "waits for Deployment default/web (just changed)"
    assert reasons["good"].startswith("good.yaml:4: ConfigMap/good: data:")
    assert not status["convergence"]["converged"]
    assert status["convergence"]["pendingCount"] == 5


async def test_nothing_differs_where_all_is_as_declared(asked: Asked) -> None:
    asked.lab.write("web.yaml", deployment("web"))
    await asked.lab.until(lambda: asked.lab.cluster.cache.find(WEB))
    answer = await asked("diff")
    assert (answer["differences"], answer["faults"]) == ([], [])
    assert say_diff(answer) == NOTHING


async def test_a_change_that_is_refused_is_told_field_by_field(asked: Asked) -> None:
    lab = asked.lab
    lab.write("web.yaml", deployment("web"))
    await lab.until(lambda: lab.cluster.cache.find(WEB))
    changed = deployment("web", "web:2").replace("app: web", "app: other")
    await lab.pass_after(lambda: lab.write("web.yaml", changed))
    answer = await asked("diff")
    (one,) = answer["differences"]
    assert (one["what"], one["name"], one["place"]) == ("changed", "web", "web.yaml:1")
    assert {field["path"]: (field["before"], field["after"]) for field in one["fields"]} == {
        "spec.selector.matchLabels[app]": ("web", "other"),
        "spec.template.metadata.labels[app]": ("web", "other"),
        "spec.template.spec.containers[main].image": ("web:1", "web:2"),
    }
    text = say_diff(answer)
    assert text.startswith(
        "~ Deployment default/web: changed  (web.yaml:1)\n    web.yaml:1: Deployment/web: spec.selector"
    )
    assert '    spec.template.spec.containers[main].image: "web:1" -> "web:2"\n' in text


async def test_what_is_missing_broken_or_declared_no_more_is_told(asked: Asked) -> None:
    lab = asked.lab
    lab.write(
        "held.yaml",
        config_map("held").replace("{name: held}", "{name: held, annotations: {wherry.dev/prune: 'false'}}"),
    )
    await lab.until(lambda: lab.value("held"))
    (lab.folder / "held.yaml").unlink()
    lab.write("lost.yaml", config_map("lost", namespace="nowhere"))
    await lab.pass_after(lambda: lab.write("bad.yaml", "kind: ["))
    await lab.until(lambda: len(lab.sync.status.faults) == 2)
    answer = await asked("diff")
    assert [(one["what"], one["name"]) for one in answer["differences"]] == [
        ("undeclared", "held"),
        ("missing", "lost"),
    ]
    assert [fault["file"] for fault in answer["faults"]] == ["bad.yaml", "lost.yaml"]
    lines = say_diff(answer).splitlines()
    assert lines[0] == "- ConfigMap default/held: undeclared  (held.yaml:1)"
    assert lines[2] == "+ ConfigMap nowhere/lost: missing  (lost.yaml:1)"
    assert lines[-2].startswith("! bad.yaml:")
    assert lines[-1] == "2 objects differ (in the cluster -> in the folder)"


async def test_the_values_of_a_secret_are_never_told(asked: Asked) -> None:
    lab = asked.lab

    def secret(value: str, immutable: str) -> str:
        named = f"immutable: {immutable}\nmetadata: {{name: s}}\n"
        return f"apiVersion: v1\nkind: Secret\n{named}stringData: {{key: {value}}}\n"

    lab.write("s.yaml", secret("treasure", "true"))
    await lab.until(lambda: lab.cluster.cache.find(Ref("Secret", "default", "s")))
    await lab.pass_after(lambda: lab.write("s.yaml", secret("fortune", "true")))
    for what in ("diff", "status", "history"):
        answer = str(await asked(what, objects="all"))
        for value in ("treasure", "fortune"):
            assert value not in answer
            assert base64.b64encode(value.encode()).decode() not in answer
    (one,) = (await asked("diff"))["differences"]
    assert [field["path"] for field in one["fields"]] == ["data[key]"]


async def test_the_history_says_what_was_changed_and_when_it_was_healthy(asked: Asked) -> None:
    lab = asked.lab
    lab.write("a.yaml", config_map("a"))
    await lab.until(lambda: lab.value("a"))
    lab.write("web.yaml", deployment("web"))
    await lab.until(lambda: lab.cluster.cache.find(WEB))
    newest, oldest = (await asked("history"))["records"]
    assert (newest["state"], newest["waiting"], newest["converged"]) == (
        "Progressing",
        ["Deployment default/web"],
        None,
    )
    assert (oldest["state"], oldest["changes"][0]["object"]) == ("Converged", "ConfigMap default/a")
    (only,) = (await asked("history", object="cm/a"))["records"]
    assert only == oldest
    await lab.cluster.apply([Delete(config_ref("a"))])
    text = say_history((await asked("history"))["records"]).splitlines()
    assert text[0].endswith("  no commit")
    assert text[1:3] == ["  not healthy yet: Deployment default/web", "  created Deployment default/web"]
    assert text[5].startswith("  healthy at ")


def test_a_history_says_who_and_how_it_ended() -> None:
    record = {
        "commit": "0123456789abcdef",
        "author": "A. Body <a@example.com>",
        "authored": "2026-01-01T00:00:00Z",
        "subject": "Add web",
        "committed": "2026-01-02T00:00:00Z",
        "converged": "2026-01-02T00:00:02.5Z",
        "state": "Converged",
        "waiting": [],
        "changes": [{"action": "updated", "object": f"ConfigMap default/c{number}"} for number in range(10)],
    }
    assert say_history([record]).splitlines() == [
        "2026-01-02 00:00:00 UTC  0123456789ab Add web",
        "  by A. Body <a@example.com>, made 2026-01-01 00:00:00 UTC",
        "  healthy at 2026-01-02 00:00:02 UTC, after 2.5 s",
        f"  updated {', '.join(f'ConfigMap default/c{number}' for number in range(8))} and 2 more",
    ]
    superseded = record | {"converged": None, "state": "Superseded"}
    assert "  changed again before it was healthy" in say_history([superseded])
    assert say_history([]) == "Nothing has been changed by the folder yet."


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        pytest.param("deploy/web", Ref("Deployment", "shop", "web"), id="short"),
        pytest.param("Deployment/other/web", Ref("Deployment", "other", "web"), id="with a namespace"),
        pytest.param("Node/n", Ref("Node", "", "n"), id="without one"),
    ],
)
def test_an_object_is_named_as_people_do(text: str, ref: Ref) -> None:
    assert named(text, "shop") == ref


@pytest.mark.parametrize("text", ["web", "nosuch/web", "Deployment/", "Deployment/a/b/c"])
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(StatusError, match="write KIND/NAME"):
        named(text, "shop")


def test_differences_of_many_fields_are_cut() -> None:
    fields = [{"path": f"data[{number}]", "before": None, "after": "x"} for number in range(30)]
    one = {
        "what": "changed",
        "kind": "Namespace",
        "namespace": "",
        "name": "n",
        "place": "",
        "reason": "",
        "fields": fields,
    }
    text = say_diff({"holding": "it is gone", "differences": [one], "faults": []})
    assert text.startswith("The folder is not taken in just now: it is gone\n~ Namespace n: changed\n")
    assert "    and 10 more fields; see --output json\n" in text
