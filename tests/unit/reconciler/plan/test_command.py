"""The command on real folders and real git; a running reconciler is in tests/simulation."""

import json
import subprocess
from pathlib import Path

import pytest

from reconciler.cli import parser
from tests.unit.reconciler.manifests.builders import config_map, deployment

NODES = "nodes: {n: {count: 3, cpu: 4, memory: 8Gi}}"


class Place:
    """A git repository with manifests in `deploy/`, and a file of nodes beside it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.top, self.folder, self.nodes = directory / "repo", directory / "repo" / "deploy", directory / "nodes.yaml"
        self._capsys = capsys
        self.folder.mkdir(parents=True)
        self.nodes.write_text(NODES)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.top, check=True, capture_output=True, text=True)
        return done.stdout

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def plan(self, *arguments: str) -> tuple[int, str, str]:
        chosen = parser().parse_args(["plan", str(self.folder), *arguments])
        code: int = chosen.run(chosen)
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, capsys)


def test_a_change_since_a_revision_is_told_and_exits_with_10(place: Place) -> None:
    place.write("web.yaml", deployment("web"))
    place.commit()
    place.write("web.yaml", deployment("web", image="web:2"))
    code, out, err = place.plan("--nodes", str(place.nodes), "--from", "HEAD")
    assert (code, err) == (10, "")
    assert "2 pods restart with image web:2" in out or "pod moves with image web:2" in out
    assert 'containers[main].image: "web:1" -> "web:2"' in out


def test_no_change_since_a_revision_exits_with_0(place: Place) -> None:
    place.write("web.yaml", deployment("web"))
    place.commit()
    code, out, _ = place.plan("--nodes", str(place.nodes), "--from", "HEAD")
    assert (code, out) == (0, "No changes: the cluster is as this folder declares it.\n")


def test_a_revision_leaves_the_checkout_as_it_was(place: Place) -> None:
    place.write("web.yaml", deployment("web"))
    place.commit()
    place.write("page.yaml", config_map("page"))
    place.git("add", "-A")
    place.write("other.yaml", config_map("other"))
    before = place.git("status", "--porcelain"), place.git("worktree", "list")
    place.plan("--from", "HEAD")
    assert (place.git("status", "--porcelain"), place.git("worktree", "list")) == before


def test_a_revision_without_the_folder_had_nothing_in_it(place: Place) -> None:
    place.commit()
    place.write("web.yaml", deployment("web"))
    code, out, _ = place.plan("--from", "HEAD", "--output", "json")
    assert code == 10
    assert [one["action"] for one in json.loads(out)["objects"]] == ["create"]


def test_attributes_for_archives_hide_nothing(place: Place) -> None:
    place.write("web.yaml", deployment("web"))
    (place.top / ".gitattributes").write_text("*.yaml export-ignore\n")
    place.commit()
    assert place.plan("--from", "HEAD")[0] == 0


def test_without_nodes_it_says_what_placement_needs(place: Place) -> None:
    place.write("web.yaml", deployment("web"))
    code, out, _ = place.plan()
    assert code == 10
    assert "Note: there are no nodes: where pods would run needs --server, --data or --nodes" in out
    assert "\nPods\n" not in out


def test_faults_are_told_as_validate_does_and_exit_with_1(place: Place) -> None:
    place.write("web.yaml", deployment("web").replace("replicas", "replcas"))
    code, out, _ = place.plan("--nodes", str(place.nodes))
    assert code == 1
    assert "web.yaml:6: Deployment/web: spec.replcas: " in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--from", "nowhere"), "there is no such commit", id="revision"),
        pytest.param(("--from", "--output=x"), "there is no such commit", id="an option for a revision"),
        pytest.param(("--nodes", "/nowhere.yaml"), "--nodes: /nowhere.yaml: No such file", id="file of nodes"),
        pytest.param(("--server", "/nowhere"), "/nowhere: there is no such file", id="kubeconfig"),
        pytest.param(("--data", "/nowhere"), "/nowhere/kubeconfig: there is no such file", id="data directory"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line_and_exits_with_2(
    place: Place, arguments: tuple[str, ...], said: str
) -> None:
    place.commit()
    code, out, err = place.plan("=".join(arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_folder_that_is_none_exits_with_2(place: Place) -> None:
    chosen = parser().parse_args(["plan", str(place.nodes)])
    assert chosen.run(chosen) == 2


def test_a_folder_outside_of_git_has_no_revisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = parser().parse_args(["plan", str(tmp_path), "--from", "HEAD"])
    assert chosen.run(chosen) == 2
    assert capsys.readouterr().err.startswith("wherry: --from: ")
