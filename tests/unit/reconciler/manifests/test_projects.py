"""Units of a folder as a source sees them over time, built by the real kubectl, and by a stand-in for helm."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from reconciler.manifests import projects, rendering
from reconciler.manifests.documents import FileState
from reconciler.manifests.folder import read_folder, read_unit
from reconciler.manifests.memory import Memory, recall, remember
from reconciler.manifests.source import Source, Unsettled
from tests.unit.reconciler.manifests.builders import config_map, deployment
from tests.unit.reconciler.manifests.looking import Named, look, messages, write

MAIN = "web/kustomization.yaml"
HELM = """
import os, sys
with open({log!r}, "a") as log:
    log.write(repr(sys.argv[1:]) + "\\n")
chart = sys.argv[3]
for name in sorted(os.listdir(chart + "/templates")):
    print("---")
    print(open(chart + "/templates/" + name).read())
"""


@pytest.fixture(autouse=True)
def _kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real kubectl, which lies beside the interpreter, and nothing else."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").symlink_to(Path(sys.executable).parent / "kubectl")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def helm_log(tmp_path: Path) -> Path:
    """What a stand-in for helm was called with, that prints a chart's templates as they are."""
    log, program = tmp_path / "helm.log", tmp_path / "bin" / "helm"
    program.write_text(f"#!{sys.executable} -IS\n{HELM.format(log=str(log))}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return log


def kustomized(folder: Path, more: str = "") -> None:
    write(folder, "web/a.yaml", config_map("a"))
    write(folder, MAIN, f"resources: [a.yaml]\n{more}")


def names(state: FileState | None) -> list[str]:
    return [str(claim.ref) for claim in state.claims] if state else []


def text(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_a_kustomization_declares_what_it_renders_and_its_files_declare_nothing(folder: Path) -> None:
    kustomized(folder, "namePrefix: b-\n")
    write(folder, "web/values.yaml", "just: values\n")
    write(folder, "plain.yaml")
    found = look(Source(folder))
    assert found.changed.keys() == {MAIN, "plain.yaml"}
    assert names(found.changed[MAIN]) == ["ConfigMap default/b-a"]
    assert found.files == 2


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: write(folder, "web/a.yaml", config_map("a", "2")), id="a resource"),
        pytest.param(lambda folder: write(folder, "base/x.txt", "2"), id="a generator's file in a base"),
        pytest.param(lambda folder: write(folder, "web/.env", "A=2"), id="a hidden file"),
        pytest.param(lambda folder: write(folder, MAIN, "namePrefix: c-\nresources: [a.yaml]"), id="the main file"),
    ],
)
def test_it_is_built_again_when_an_input_changed_and_not_else(folder: Path, change: object) -> None:
    write(folder, "base/kustomization.yaml", "configMapGenerator: [{name: g, files: [x.txt]}]\n")
    write(folder, "base/x.txt", "1")
    write(folder, "web/.env", "A=1")
    kustomized(folder, "components: []\nsecretGenerator: [{name: s, envs: [.env]}]\n")
    write(folder, MAIN, "resources: [a.yaml, ../base]\nsecretGenerator: [{name: s, envs: [.env]}]\n")
    source = Source(folder)
    before = look(source).changed[MAIN]
    write(folder, "web/README.md", "new")
    write(folder, "base/unused.yaml", "new")
    assert look(source).changed == {}
    assert callable(change)
    change(folder)
    after = look(source).changed[MAIN]
    assert after != before
    assert after is not None
    assert after.faults == ()


def test_a_base_beside_the_source_counts_and_is_watched(tmp_path: Path, folder: Path) -> None:
    write(tmp_path, "base/kustomization.yaml", "resources: [a.yaml]\n")
    write(tmp_path, "base/a.yaml", config_map("a"))
    write(folder, "kustomization.yaml", "resources: [../base]\nnamePrefix: p-\n")
    source, watch = Source(folder), Named()
    assert names(look(source, watch).changed["kustomization.yaml"]) == ["ConfigMap default/p-a"]
    assert {str(tmp_path / "base" / name) for name in ("a.yaml", "kustomization.yaml")} <= set(watch.inputs)
    write(tmp_path, "base/a.yaml", config_map("b"))
    assert names(look(source, watch).changed["kustomization.yaml"]) == ["ConfigMap default/p-b"]
    assert str(tmp_path / "base" / "a.yaml") in watch.inputs


def test_a_file_that_was_missing_is_looked_for_again(folder: Path) -> None:
    write(folder, MAIN, "resources: [a.yaml]\n")
    source = Source(folder)
    assert "a.yaml" in messages(look(source))[MAIN]
    write(folder, "web/a.yaml", config_map("a"))
    assert names(look(source).changed[MAIN]) == ["ConfigMap default/a"]


def test_an_overlay_left_out_by_the_ignore_file_is_not_built_and_an_ignored_base_still_serves(folder: Path) -> None:
    write(folder, "base/kustomization.yaml", "resources: [a.yaml]\n")
    write(folder, "base/a.yaml", config_map("a"))
    for overlay in ("dev", "prod"):
        write(folder, f"{overlay}/kustomization.yaml", "resources: [../base]\n")
    assert look(Source(folder)).changed.keys() == {"dev/kustomization.yaml", "prod/kustomization.yaml"}
    (folder / ".wherryignore").write_text("dev\nbase\n")
    found = look(Source(folder))
    assert found.changed.keys() == {"prod/kustomization.yaml"}
    assert names(found.changed["prod/kustomization.yaml"]) == ["ConfigMap default/a"]


def test_a_broken_kustomization_says_why_and_hides_what_its_files_name(folder: Path) -> None:
    kustomized(folder, "patches: [{path: gone.yaml}]\n")
    state = look(Source(folder)).changed[MAIN]
    assert state is not None
    assert (state.hides, state.mentions) == (True, frozenset({"a"}))
    assert [(fault.file, fault.line) for fault in state.faults] == [(MAIN, 1)]
    assert str(folder) not in state.faults[0].message


def test_a_fault_in_what_is_rendered_is_told_at_the_main_file_with_object_and_field(folder: Path) -> None:
    write(folder, "web/a.yaml", deployment("a").replace("replicas", "replica"))
    write(folder, MAIN, "resources: [a.yaml]\n")
    (fault,) = next(state for state in look(Source(folder)).changed.values() if state).faults
    assert (fault.file, fault.line, fault.object, fault.field) == (MAIN, 1, "Deployment/a", "spec.replica")
    (warning,) = next(state for state in look(Source(folder, "Warn")).changed.values() if state).faults
    assert warning.severity == "warning"


def test_a_remote_base_is_refused_before_anything_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    write(folder, MAIN, "resources: [../base]\n")
    write(folder, "base/kustomization.yaml", "resources:\n- github.com/a/b?ref=c\n")
    assert "base/kustomization.yaml:2: github.com/a/b?ref=c lies on the network" in messages(look(Source(folder)))[MAIN]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(os.mkfifo, "a.yaml is no regular file", id="a pipe"),
        pytest.param(
            lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 10**8), "100000000 bytes", id="large"
        ),
    ],
)
def test_an_input_that_is_not_to_be_read_is_a_fault_until_it_is_replaced(
    folder: Path, make: object, words: str
) -> None:
    kustomized(folder)
    (folder / "web" / "a.yaml").unlink()
    assert callable(make)
    make(folder / "web" / "a.yaml")
    source = Source(folder)
    assert words in messages(look(source))[MAIN]
    assert look(source).changed == {}
    (folder / "web" / "a.yaml").unlink()
    kustomized(folder)
    assert names(look(source).changed[MAIN]) == ["ConfigMap default/a"]


def test_aliases_without_end_are_cut_off(folder: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    write(folder, "web/a.yaml", config_map("a"))
    write(folder, MAIN, f"l0: &l0 [x]\n{levels}resources: [a.yaml]\n")
    state = look(Source(folder)).changed[MAIN]
    assert state is not None
    assert state.hides


def test_plain_files_become_a_unit_and_plain_again_in_one_look(folder: Path) -> None:
    write(folder, "web/a.yaml", config_map("a"))
    source = Source(folder)
    look(source)
    write(folder, MAIN, "resources: [a.yaml]\n")
    found = look(source).changed
    assert found["web/a.yaml"] is None
    assert names(found[MAIN]) == ["ConfigMap default/a"]
    (folder / MAIN).unlink()
    found = look(source).changed
    assert found[MAIN] is None
    assert names(found["web/a.yaml"]) == ["ConfigMap default/a"]


def test_an_input_being_written_or_just_emptied_leaves_the_unit_as_it_was(folder: Path) -> None:
    kustomized(folder)
    source = Source(folder)
    look(source)
    path = write(folder, "web/a.yaml", "half")
    assert look(source, writing=frozenset({str(path)})).changed == {}
    kustomized(folder)
    look(source)
    path.write_text("")
    found = look(source)
    assert (found.changed, found.is_early) == ({}, True)
    os.utime(path, (1, 1))
    assert MAIN in look(source).changed


def test_an_input_that_changes_while_it_is_built_unsettles_the_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kustomized(folder)
    build = rendering.kustomize

    def changing(place: str, seconds: float) -> rendering.Rendering:
        write(folder, "web/a.yaml", config_map("b"))
        return build(place, seconds)

    monkeypatch.setattr(rendering, "kustomize", changing)
    source = Source(folder)
    with pytest.raises(Unsettled, match=r"web/a\.yaml changed while web/kustomization\.yaml was built"):
        look(source)
    monkeypatch.undo()


def test_a_restart_builds_nothing_that_has_not_changed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kustomized(folder)
    source = Source(folder)
    states = {path: state for path, state in look(source).changed.items() if state}
    remember(tmp_path / "memory", Memory(source.known, states))
    memory = recall(tmp_path / "memory")
    monkeypatch.setattr(projects, "build", lambda *_: pytest.fail("built"))
    again = Source(folder)
    again.known = dict(memory.known)
    assert look(again).changed == {}
    again = Source(folder, "Warn")
    again.known = dict(memory.known)
    with pytest.raises(pytest.fail.Exception, match="built"):
        look(again)


def test_a_program_that_was_missing_is_asked_when_it_is_there(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "kubectl").rename(tmp_path / "kubectl")
    kustomized(folder)
    source = Source(folder)
    assert "neither kubectl nor kustomize is installed" in messages(look(source))[MAIN]
    assert look(source).changed == {}
    (tmp_path / "kubectl").rename(tmp_path / "bin" / "kubectl")
    assert names(look(source).changed[MAIN]) == ["ConfigMap default/a"]


def test_what_took_too_long_is_tried_again_after_a_change_or_a_restart_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kustomized(folder)
    calls: list[str] = []

    def late(place: str, seconds: float) -> rendering.Rendering:
        calls.append(place)
        return rendering.Rendering(error="late", is_final=False)

    monkeypatch.setattr(rendering, "kustomize", late)
    source = Source(folder)
    assert messages(look(source)) == {MAIN: "late"}
    assert MAIN not in source.known
    assert look(source).changed == {}
    assert len(calls) == 1
    write(folder, "web/a.yaml", config_map("b"))
    assert messages(look(source)) == {MAIN: "late"}
    (folder / MAIN).unlink()
    assert look(source).changed.keys() == {MAIN, "web/a.yaml"}


def test_all_units_of_a_look_have_a_time_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kustomized(folder)
    monkeypatch.setattr(projects, "PASS_SECONDS", 0.0)
    source = Source(folder)
    found = look(source)
    assert "not built yet" in messages(found)[MAIN]
    assert found.is_early
    monkeypatch.setattr(projects, "PASS_SECONDS", 60.0)
    assert names(look(source).changed[MAIN]) == ["ConfigMap default/a"]


# Helm


def chart(folder: Path, place: str = "shop", more: str = "") -> None:
    write(folder, f"{place}/Chart.yaml", f"apiVersion: v2\nname: shop\nversion: 1.0.0\n{more}")
    write(folder, f"{place}/values.yaml", "replicas: 1\n")
    write(folder, f"{place}/templates/a.yaml", config_map("a"))


def test_a_chart_is_a_release_of_its_own_name(folder: Path, helm_log: Path) -> None:
    chart(folder)
    found = look(Source(folder))
    assert {path: names(state) for path, state in found.changed.items()} == {"shop/Chart.yaml": ["ConfigMap default/a"]}
    assert text(helm_log)[0].startswith(f"['template', 'shop', '{folder}/shop', '--namespace', 'default',")


def test_a_release_names_its_chart_namespace_and_values(folder: Path, helm_log: Path) -> None:
    chart(folder, "charts/shop")
    write(folder, "prod/wherry.helm.yaml", "chart: ../charts/shop\nnamespace: store\nvaluesFiles: [prod.yaml]\n")
    write(folder, "prod/prod.yaml", "replicas: 3\n")
    write(folder, "prod/plain.yaml", config_map("plain"))
    source = Source(folder)
    found = look(source)
    assert {path: names(state) for path, state in found.changed.items()} == {
        "prod/wherry.helm.yaml": ["ConfigMap store/a"],
        "prod/plain.yaml": ["ConfigMap default/plain"],
    }
    assert f"'--values', '{folder}/prod/prod.yaml'" in text(helm_log)[0]
    assert look(source).changed == {}
    write(folder, "prod/prod.yaml", "replicas: 4\n")
    assert look(source).changed.keys() == {"prod/wherry.helm.yaml"}
    write(folder, "charts/shop/templates/b.yaml", config_map("b"))
    assert names(look(source).changed["prod/wherry.helm.yaml"]) == ["ConfigMap store/a", "ConfigMap store/b"]
    assert len(text(helm_log)) == 3


def test_hooks_are_named_as_left_out(folder: Path, helm_log: Path) -> None:
    chart(folder)
    hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: h, annotations: {helm.sh/hook: pre-delete}}\n"
    write(folder, "shop/templates/hook.yaml", hook)
    state = look(Source(folder)).changed["shop/Chart.yaml"]
    assert state is not None
    assert names(state) == ["ConfigMap default/a"]
    assert [(fault.object, fault.severity) for fault in state.faults] == [("ConfigMap/h", "warning")]


def test_a_library_chart_declares_nothing(folder: Path, helm_log: Path) -> None:
    chart(folder, more="type: library\n")
    assert look(Source(folder)).changed == {"shop/Chart.yaml": FileState()}
    assert text(helm_log) == []


@pytest.mark.parametrize(
    ("release", "words"),
    [
        pytest.param("chart: ../gone", "there is no gone/Chart.yaml; charts are not fetched", id="no chart"),
        pytest.param("chart: ../../out", "lies outside of the source's folder", id="chart outside"),
        pytest.param("chart: ../shop\nvaluesFiles: [gone.yaml]", "no file prod/gone.yaml", id="no values"),
        pytest.param("chart: ../shop\nvaluesFiles: [/etc/passwd]", "lies outside", id="values outside"),
        pytest.param("chart: ../shop\nvaluesFiles: [link.yaml]", "lies outside", id="values linked outside"),
        pytest.param("chrt: ../shop", "chrt is no field of a release", id="misspelt"),
        pytest.param("chart: ../linked", "secret: this symlink leaves the folder", id="a link in the chart"),
    ],
)
def test_what_is_wrong_with_a_release_is_said_at_its_file(
    folder: Path, tmp_path: Path, helm_log: Path, release: str, words: str
) -> None:
    chart(folder)
    chart(folder, "linked")
    (folder / "linked" / "secret").symlink_to("/etc/passwd")
    chart(tmp_path, "out")
    write(folder, "prod/wherry.helm.yaml", release)
    (folder / "prod" / "link.yaml").symlink_to("/etc/passwd")
    assert words in messages(look(Source(folder)))["prod/wherry.helm.yaml"]
    assert not any("prod" in line for line in text(helm_log))


def test_links_in_a_circle_within_a_chart_are_refused(folder: Path, helm_log: Path) -> None:
    chart(folder)
    (folder / "shop" / "templates" / "again").symlink_to("..")
    found = look(Source(folder)).changed["shop/Chart.yaml"]
    assert found is not None
    assert "again: this symlink leads in a circle" in found.faults[0].message
    assert text(helm_log) == []


def test_a_real_helm_agrees_where_there_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helm = shutil.which("helm", path=os.defpath + ":/usr/local/bin")
    if helm is None:
        pytest.skip("helm is not installed")
    monkeypatch.setenv("PATH", os.path.dirname(helm))
    chart(folder, "charts/shop")
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {n: '{{ .Values.n }}'}\n"
    write(folder, "charts/shop/templates/a.yaml", template)
    write(folder, "wherry.helm.yaml", "chart: charts/shop\nnamespace: store\nvalues: {n: 3}\n")
    state = look(Source(folder)).changed["wherry.helm.yaml"]
    assert state is not None
    assert state.faults == ()
    assert [claim.data for claim in state.claims if claim.data and b'"n":"3"' in claim.data]


# Compose


def test_a_compose_project_is_loaded_with_what_it_reads(folder: Path) -> None:
    write(folder, "shop/compose.yaml", "services: {web: {image: 'web:1', env_file: [web.env]}}\n")
    write(folder, "shop/web.env", "A=1\n")
    write(folder, "shop/plain.yaml", config_map("plain"))
    source = Source(folder)
    found = look(source)
    assert found.changed.keys() == {"shop/compose.yaml", "shop/plain.yaml"}
    assert "Deployment default/web" in names(found.changed["shop/compose.yaml"])
    assert look(source).changed == {}
    write(folder, "shop/web.env", "A=2\n")
    assert look(source).changed.keys() == {"shop/compose.yaml"}
    write(folder, "shop/compose.override.yaml", "services: {web: {image: 'web:2'}}\n")
    assert look(source).changed.keys() == {"shop/compose.yaml"}


def test_a_file_that_a_compose_project_extends_is_no_manifest(folder: Path) -> None:
    write(folder, "compose.yaml", "services: {web: {extends: {file: common.yaml, service: base}}}\n")
    write(folder, "common.yaml", "services: {base: {image: 'web:1'}}\n")
    assert look(Source(folder)).changed.keys() == {"compose.yaml"}


def test_a_compose_project_does_not_read_over_a_link_that_leaves_the_folder(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "secret.env", "PASSWORD=geheim\n")
    (folder / "web.env").symlink_to(tmp_path / "secret.env")
    write(folder, "compose.yaml", "services: {web: {image: 'web:1', env_file: [web.env]}}\n")
    state = look(Source(folder)).changed["compose.yaml"]
    assert state is not None
    assert "web.env lies outside of the source's folder" in state.faults[0].message
    assert state.claims == ()


# Without a daemon


def test_a_folder_is_read_once_as_the_daemon_would(folder: Path) -> None:
    kustomized(folder)
    write(folder, "plain.yaml")
    write(folder, "compose.yaml", "services: {web: {image: 'web:1'}}\n")
    found = read_folder(folder)
    assert found.files == ("plain.yaml",)
    assert found.units.keys() == {MAIN, "compose.yaml"}
    assert names(found.units[MAIN]) == ["ConfigMap default/a"]


def test_a_main_file_is_read_as_its_unit_and_others_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kustomized(folder, "patches: [{path: gone.yaml}]\n")
    state = read_unit(folder / MAIN)
    assert state is not None
    assert state.faults[0].file == str(folder / MAIN)
    monkeypatch.chdir(folder)
    state = read_unit(Path(MAIN))
    assert state is not None
    assert state.faults[0].file == MAIN
    assert read_unit(folder / "web" / "a.yaml") is None
