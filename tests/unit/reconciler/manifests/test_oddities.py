"""The odd YAML that real repositories hold, counted over 50 of them: each kind has a behaviour of its own.

How single scalars and broken files read is in test_parse.py.
"""

import json
from typing import Any

import pytest

from reconciler.manifests.documents import FileState, load


def read(text: str | bytes, file: str = "a.yaml") -> FileState:
    return load(file, text.encode() if isinstance(text, str) else text)


def declared(state: FileState) -> list[dict[str, Any]]:
    """The objects that are taken; nothing may be wrong with any."""
    assert [str(fault) for fault in state.faults if fault.severity == "error"] == []
    return [json.loads(claim.data or b"null") for claim in state.claims]


def only(text: str | bytes, file: str = "a.yaml") -> dict[str, Any]:
    (one,) = declared(read(text, file))
    return one


def told(text: str | bytes, file: str = "a.yaml") -> list[str]:
    return [str(fault) for fault in read(text, file).faults]


def mode(written: str) -> str:
    return (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{name: c, image: x}]\n"
        f"  volumes:\n  - name: v\n    configMap:\n      name: m\n      defaultMode: {written}\n"
    )


def config(data: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  a: {data}\n"


HEAD = "apiVersion: v1\nkind: ConfigMap\n"


@pytest.mark.parametrize("written", ["0644", "0o644", "0x1a4", "0b110100100", "420", "4_20"])
def test_a_file_mode_may_be_written_in_octal_as_people_think_of_it(written: str) -> None:
    assert only(mode(written))["spec"]["volumes"][0]["configMap"]["defaultMode"] == 0o644


def test_a_file_mode_in_quotes_is_refused_with_what_to_do() -> None:
    where = "a.yaml:10: Pod/a: spec.volumes[0].configMap.defaultMode: "
    assert told(mode("'0644'")) == [f'{where}expected an integer, found the string "0644": remove the quotes']
    assert told(mode("0999"))[0].startswith(f"{where}Invalid value: 999")


@pytest.mark.parametrize(
    ("written", "means"),
    [
        pytest.param("12:30:45", "12:30:45", id="base-60 integer"),
        pytest.param("2222:22", "2222:22", id="two ports"),
        pytest.param("2023-07-01", "2023-07-01", id="date"),
        pytest.param("=", "=", id="the value tag of YAML 1.1"),
        pytest.param("${DOMAIN}", "${DOMAIN}", id="a variable of envsubst, which nobody replaces"),
        pytest.param("'{{ .Values.x }}'", "{{ .Values.x }}", id="a template in quotes is a text"),
        pytest.param("|\n    x\n    y", "x\ny\n", id="block"),
    ],
)
def test_a_text_without_quotes_stays_a_text(written: str, means: str) -> None:
    assert only(config(written))["data"] == {"a": means}


@pytest.mark.parametrize(
    ("written", "found"),
    [
        pytest.param("on", "the boolean true: put it in quotes", id="on"),
        pytest.param("Y", "the boolean true: put it in quotes", id="y"),
        pytest.param("no", "the boolean false: put it in quotes", id="no"),
        pytest.param("0755", "the number 493: put it in quotes", id="octal"),
        pytest.param("1e+06", "the number 1000000: put it in quotes", id="exponent"),
        pytest.param("1.10", "the number 1.1: put it in quotes", id="version"),
    ],
)
def test_what_yaml_takes_for_something_else_than_text_is_refused_with_what_to_do(written: str, found: str) -> None:
    (fault,) = told(config(written))
    assert fault.startswith(f"a.yaml:5: ConfigMap/a: data[a]: expected a string, found {found}")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty file"),
        pytest.param("# nothing yet\n", id="comments alone"),
        pytest.param("---\n# one\n---\n---\n# two\n...\n", id="comment-only documents"),
        pytest.param("apiVersion: v1\nkind: List\nitems: []\n", id="empty list"),
        pytest.param("apiVersion: v1\nkind: List\nitems:\n", id="list of nothing"),
        pytest.param("apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\n", id="list without items"),
        pytest.param("apiVersion: v1\nkind: ConfigMapList\nitems: null\n", id="list of a kind, of nothing"),
    ],
)
def test_what_declares_nothing_is_no_fault_and_hides_nothing(text: str) -> None:
    assert read(text) == FileState()


def test_documents_are_apart_by_dashes_dots_and_comments() -> None:
    text = f"# first\n{HEAD}metadata: {{name: a}}\n...\n---\n# nothing\n---\n{HEAD}metadata: {{name: b}}\n---\n"
    assert [one["metadata"]["name"] for one in declared(read(text))] == ["a", "b"]


@pytest.mark.parametrize("kind", ["ConfigMapList", "List"])
def test_lists_are_the_objects_in_them(kind: str) -> None:
    named = "" if kind == "ConfigMapList" else "  apiVersion: v1\n  kind: ConfigMap\n"
    items = f"- metadata: {{name: a}}\n{named}- metadata: {{name: b}}\n{named}  dta: {{}}\n"
    text = f"apiVersion: v1\nkind: {kind}\nitems:\n{items}"
    state = read(text)
    assert [(claim.ref.kind, claim.ref.name, claim.data is not None) for claim in state.claims] == [
        ("ConfigMap", "a", True),
        ("ConfigMap", "b", False),
    ]
    line = text.count("\n")
    assert [str(fault) for fault in state.faults] == [
        f"a.yaml:{line}: ConfigMap/b: dta: unknown field: did you mean `data`?"
    ]


def test_a_list_of_roles_takes_its_api_group_along() -> None:
    text = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleList\nitems:\n- metadata: {name: r}\n"
    assert [(one["apiVersion"], one["kind"]) for one in declared(read(text))] == [
        ("rbac.authorization.k8s.io/v1", "Role")
    ]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_endings_change_neither_values_nor_lines(bom: str, end: str) -> None:
    text = bom + (HEAD + "metadata: {name: a}\ndata:\n  a: |\n    x\n    y\n").replace("\n", end)
    assert only(text)["data"] == {"a": "x\ny\n"}
    assert told(text + f"dta: 1{end}") == ["a.yaml:8: ConfigMap/a: dta: unknown field: did you mean `data`?"]


def test_anchors_aliases_and_merge_keys_are_written_out() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: &labels {app: a}}\nspec:\n  nodeSelector: *labels\n"
        "  containers:\n  - &main {name: c, image: x}\n  - {<<: *main, name: d}\n"
    )
    pod = only(text)
    assert pod["spec"]["nodeSelector"] == {"app": "a"}
    assert pod["spec"]["containers"] == [{"name": "c", "image": "x"}, {"image": "x", "name": "d"}]


def test_a_fault_that_an_anchor_brings_in_is_told_where_it_is_used() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        "  - &main\n    name: c\n    imagee: x\n  - <<: *main\n    name: d\n"
    )
    assert [line.partition(": unknown")[0] for line in told(text)] == [
        "a.yaml:8: Pod/a: spec.containers[0].imagee",
        "a.yaml:9: Pod/a: spec.containers[1].imagee",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            HEAD + "metadata: {name: a}\ndata:\n  x: y\n  x: z\n",
            "6: ConfigMap/a: the key 'x' is there twice",
            id="key",
        ),
        pytest.param(HEAD + "metadata: {name: a}\nkind: Secret\n", "4: Secret/a: the key 'kind' is", id="kind"),
        pytest.param(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\n$patch: delete\n",
            "4: Deployment/w: [$patch]: a directive of a patch",
            id="patch of an object",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec:\n  containers:\n  - name: c\n    $patch: delete\n",
            "7: Pod/w: spec.containers[0][$patch]: a directive of a patch",
            id="patch of a list",
        ),
        pytest.param(
            "- op: remove\n  path: /spec\n", "1: expected a mapping with apiVersion and kind", id="JSON patch"
        ),
        pytest.param(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x}\n",
            "5: Secret/s: sops: this document is encrypted with SOPS",
            id="SOPS",
        ),
        pytest.param(
            "apiVersion: ENC[AES256_GCM,data:x]\nkind: ENC[AES256_GCM,data:y]\nsops: {mac: x}\n",
            "this document is encrypted with SOPS",
            id="SOPS throughout",
        ),
        pytest.param(HEAD + "metadata:\n  name: {{ .Release.Name }}\n", "4: this is a template", id="template value"),
        pytest.param("{{- if .x }}\n" + HEAD + "{{- end }}\n", "1: this is a template", id="template block"),
        pytest.param(HEAD + "metadata:\n  name: '{{ .x }}'\n", "metadata.name: Invalid value", id="quoted template"),
        pytest.param(HEAD + "metadata: {name: a, namespace: '${NS}'}\n", "metadata.namespace: Invalid", id="variable"),
        pytest.param(HEAD + "metadata: {generateName: a-}\n", "a fixed metadata.name", id="generateName"),
        pytest.param(HEAD + "metadata:\n\tname: a\n", "4: this is not YAML: found character", id="tab"),
        pytest.param(config("!Env x"), "5: ConfigMap/a: the YAML tag !Env is not known", id="custom tag"),
        pytest.param("name: chart\nversion: 1.0.0\n", "apiVersion is missing", id="no manifest"),
        pytest.param(HEAD.encode("utf-16"), "1: the file is not UTF-8", id="UTF-16"),
        pytest.param(HEAD.encode() + b"metadata: {name: \xff}\n", "3: the file is not UTF-8", id="Latin-1"),
        pytest.param(HEAD + "metadata: {name: a\0}\n", "this is not YAML", id="NUL"),
    ],
)
def test_what_is_no_manifest_is_refused_by_its_name_and_line(text: str | bytes, says: str) -> None:
    (fault, *_) = told(text)
    assert says in fault


def test_keys_that_are_no_texts_become_such() -> None:
    text = HEAD + "metadata: {name: a}\ndata: {200: a, 1.5: b, on: c}\n"
    assert only(text)["data"] == {"200": "a", "1.5": "b", "true": "c"}


def test_what_the_cluster_wrote_is_left_out_with_a_warning() -> None:
    """As `kubectl get -o yaml` and kompose leave it in their files."""
    text = HEAD + "metadata: {name: a, creationTimestamp: null, uid: x}\n"
    state = read(text.replace("ConfigMap", "Namespace") + "spec: {}\nstatus: {phase: Active}\n")
    assert declared(state) == [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}, "spec": {}}]
    assert [(fault.line, fault.field) for fault in state.faults] == [(5, "status"), (3, "metadata.uid")]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_is_read_however_it_is_indented_and_its_faults_have_lines(indent: int | str | None) -> None:
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "😀\u2028"}}
    assert only(json.dumps(data, indent=indent), "a.json")["data"] == {"a": "😀\u2028"}
    text = json.dumps({**data, "data": {}, "dta": 1}, indent=indent)
    line = 1 if indent is None else 8
    assert told(text, "a.json") == [f"a.json:{line}: ConfigMap/a: dta: unknown field: did you mean `data`?"]
