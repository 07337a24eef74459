import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler import validate
from reconciler.cli import parser
from reconciler.manifests.documents import SourceFault, load
from reconciler.validate import Report
from tests.unit.reconciler.manifests.builders import config_map, deployment

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `wherry validate` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def validate(*arguments: str) -> int:
        parsed = parser().parse_args(["validate", *arguments])
        return int(parsed.run(parsed))

    return validate


def write(file: str, text: str) -> None:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def judged(**files: str) -> list[str]:
    states = {f"{name}.yaml": load(f"{name}.yaml", text.encode()) for name, text in files.items()}
    return [str(fault) for fault in validate.judge(states).faults]


def test_sound_manifests_are_passed_with_a_word_for_people(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    write("a/web.yaml", deployment("web") + "---\n" + config_map("settings"))
    write("a/more/b.json", '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}')
    assert run("a") == 0
    assert capsys.readouterr() == ("", "3 documents in 2 files, no faults\n")


def test_every_fault_of_every_file_is_said_with_file_line_object_and_field(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    write("a/web.yaml", deployment("web").replace("replicas", "replica").replace("image:", "imagee:"))
    write("a/b.yaml", config_map("b") + "data: {}\n")
    write("a/c.yaml", "a: {{ .Values.x }}\n")
    assert run("a") == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "a/b.yaml:5: ConfigMap/b: the key 'data' is there twice; keep one",
        "a/c.yaml:1: this is a template ({{ … }}), not a manifest; render it first (helm template, envsubst, …)",
        "a/web.yaml:6: Deployment/web: spec.replica: unknown field: did you mean `replicas`?",
        "a/web.yaml:13: Deployment/web: spec.template.spec.containers[0].imagee: unknown field: did you mean `image`?",
    ]
    assert err == "2 documents in 3 files, 4 faults\n"


def test_warnings_are_said_and_let_pass(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    write("a.yaml", config_map("a").replace("{name: a}", "{name: a, uid: x}"))
    assert run("a.yaml") == 0
    out, err = capsys.readouterr()
    assert out == (
        "a.yaml:3: ConfigMap/a: metadata.uid: is written by the cluster and left out here; "
        "remove it from the file (warning)\n"
    )
    assert err == "1 document in 1 file, no faults, 1 warning\n"


def test_what_is_piped_in_is_read(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"kind: Pod\n")))
    assert run("-") == 1
    assert capsys.readouterr().out.startswith("<stdin>:1: Pod: apiVersion is missing")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nowhere"], id="a path that does not exist"),
        pytest.param([], id="no path"),
        pytest.param(["--strict", "."], id="an unknown option"),
        pytest.param([".", "--output", "xml"], id="an unknown form of output"),
        pytest.param([".", "--field-validation", "Strikt"], id="an unknown strictness"),
    ],
)
def test_bad_usage_exits_with_2(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reconciler", "validate", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_the_output_for_programs_has_every_fault_and_the_number_of_documents(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    write("a.yaml", deployment("web", replicas=-1).replace("{name: web}", "{name: web, uid: x}"))
    assert run("a.yaml", "--output", "json") == 1
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["documents"] == 1
    assert [(fault["line"], fault["field"], fault["severity"]) for fault in said["faults"]] == [
        (6, "spec.replicas", "error")
    ]
    assert set(said["faults"][0]) == {"file", "line", "object", "field", "message", "severity"}


def test_the_output_for_github_marks_the_line_of_a_pull_request() -> None:
    faults = (
        SourceFault("a,b/100%:x.yaml", 7, "Pod/a", "spec", "50% of\nit"),
        SourceFault("b.yaml", 1, "", "", "odd", "warning"),
    )
    assert validate.say(Report(files=2, documents=2, faults=faults), "github").splitlines() == [
        "::error file=a%2Cb/100%25%3Ax.yaml,line=7,title=Pod/a::spec: 50%25 of%0Ait",
        "::warning file=b.yaml,line=1,title=manifest::odd",
    ]


def test_an_object_declared_twice_is_a_fault_of_the_second_place() -> None:
    assert judged(
        b=config_map("a"), a=config_map("x") + "---\n" + config_map("a"), c=config_map("a", namespace="shop")
    ) == [
        "b.yaml:1: ConfigMap/a: ConfigMap default/a is declared in a.yaml:6 already, which holds; "
        "take one of the two out"
    ]


def test_objects_that_wait_for_each_other_are_faults_and_a_namespace_that_nobody_declares_is_none() -> None:
    def waiting(name: str, other: str) -> str:
        place = f"{{name: {name}, namespace: shop, annotations: {{wherry.dev/depends-on: ConfigMap/{other}}}}}"
        return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {place}\n"

    found = judged(a=waiting("a", "b"), b=waiting("b", "a"), c=waiting("c", "a"))
    assert [line.partition(": waits")[0] for line in found] == [
        "a.yaml:3: ConfigMap/a: metadata.annotations[wherry.dev/depends-on]",
        "b.yaml:3: ConfigMap/b: metadata.annotations[wherry.dev/depends-on]",
    ]


CUSTOM = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\n"


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        pytest.param(CUSTOM, True, id="custom resource"),
        pytest.param("apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: c}\n", True, id="same name"),
        pytest.param(
            "apiVersion: storage.k8s.io/v1\nkind: CSINode\nmetadata: {name: c}\n", True, id="official, not served"
        ),
        pytest.param("apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: c}\n", False, id="misspelt kind"),
        pytest.param("apiVersion: apps/v2\nkind: Deployment\nmetadata: {name: c}\n", False, id="no such version"),
        pytest.param("kind: Certificate\n", False, id="no manifest"),
    ],
)
def test_kinds_that_are_not_served_are_passed_over_where_asked_but_not_what_is_misspelt(
    run: Run, capsys: pytest.CaptureFixture[str], text: str, passed: bool
) -> None:
    write("a.yaml", text)
    assert run("a.yaml") == 1
    assert run("a.yaml", "--skip-unknown") == int(not passed)
    assert ("1 of kinds that are not served passed over" in capsys.readouterr().err) == passed


def test_a_fault_is_not_lost_among_many_documents_that_are_passed_over(run: Run) -> None:
    write("a.yaml", "---\n".join([CUSTOM] * 300 + [deployment("web", replicas=-1)]))
    assert run("a.yaml", "--skip-unknown") == 1


@pytest.mark.parametrize(("strictness", "code", "said"), [("strict", 1, True), ("warn", 0, True), ("ignore", 0, False)])
def test_unknown_fields_and_repeated_keys_are_judged_as_asked(
    run: Run, capsys: pytest.CaptureFixture[str], strictness: str, code: int, said: bool
) -> None:
    write("a.yaml", config_map("a") + "dta: {}\ndata: {}\n")
    assert run("a.yaml", "--field-validation", strictness) == code
    out = capsys.readouterr().out
    assert ("unknown field" in out, "there twice" in out) == (said, said)
