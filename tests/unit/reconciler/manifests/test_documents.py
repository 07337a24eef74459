import base64

import msgspec
import pytest

from reconciler.manifests.documents import FileState, load
from schemas.meta import Ref
from tests.unit.reconciler.manifests.builders import config_map, deployment


def faults(text: str) -> list[str]:
    return [str(fault) for fault in load("a.yaml", text.encode()).faults]


def sound(text: str) -> FileState:
    state = load("a.yaml", text.encode())
    assert not [fault for fault in state.faults if fault.severity == "error"], state.faults
    return state


def test_a_namespaced_object_lives_in_default_unless_it_says_otherwise() -> None:
    assert sound(config_map("a")).claims[0].ref == Ref("ConfigMap", "default", "a")
    assert sound(config_map("a", namespace="shop")).claims[0].ref == Ref("ConfigMap", "shop", "a")


def test_a_namespace_on_a_cluster_wide_object_is_left_out_with_a_warning() -> None:
    state = sound("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, namespace: other}\n")
    assert state.claims[0].ref == Ref("Namespace", "", "shop")
    assert [(one.field, one.severity) for one in state.faults] == [("metadata.namespace", "warning")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("kind: Pod\nmetadata: {name: a}\n", "a.yaml:1: Pod/a: apiVersion is missing", id="no apiVersion"),
        pytest.param("a: 1\n", "a.yaml:1: apiVersion is missing", id="neither"),
        pytest.param("- 1\n", "expected a mapping with apiVersion and kind, found a list", id="a list"),
        pytest.param(
            "apiVersion: apps/v1beta3\nkind: Deployment\nmetadata: {name: w}\n",
            "a.yaml:1: Deployment/w: apiVersion: Deployment is not served as apps/v1beta3; write apiVersion: apps/v1",
            id="no such version",
        ),
        pytest.param(
            "apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: w}\n",
            "a.yaml:2: Deploymnet/w: kind: the kind Deploymnet (apps/v1) is not served; did you mean Deployment?",
            id="misspelt kind",
        ),
        pytest.param(
            "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: w}\n", "is not served", id="gone"
        ),
        pytest.param("apiVersion: v1\nkind: ConfigMap\n", "metadata.name is missing", id="no metadata"),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n", "fixed metadata.name", id="generated"
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 12}\n",
            "a.yaml:3: ConfigMap: metadata.name: has to be a string",
            id="number as a name",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nsops: {mac: x}\n",
            "a.yaml:4: Secret/a: sops: ",
            id="SOPS",
        ),
    ],
)
def test_a_document_that_names_no_object_says_what_to_write_and_hides_what_it_declares(text: str, says: str) -> None:
    state = load("a.yaml", text.encode())
    assert state.hides
    assert not state.claims
    assert says in str(state.faults[0])


def test_a_fault_names_file_line_object_and_field() -> None:
    text = config_map("fine") + "---\n" + deployment("web").replace("image:", "imagee:")
    (fault,) = [one for one in load("shop/web.yaml", text.encode()).faults if "imagee" in one.field]
    assert str(fault).startswith(
        "shop/web.yaml:18: Deployment/web: spec.template.spec.containers[0].imagee: unknown field"
    )
    assert "`image`" in fault.message


def test_a_broken_document_is_still_a_claim_and_the_others_of_its_file_hold() -> None:
    text = config_map("a") + "---\n" + deployment("web", replicas=-1) + "---\n" + config_map("b")
    state = load("a.yaml", text.encode())
    assert [(claim.ref.name, claim.data is not None) for claim in state.claims] == [
        ("a", True),
        ("web", False),
        ("b", True),
    ]
    assert not state.hides
    assert [one.field for one in state.faults] == ["spec.replicas"]


@pytest.mark.parametrize(
    ("version", "kind", "unknown"),
    [
        pytest.param("x.io/v1", "Certificate", True, id="custom resource"),
        pytest.param("serving.knative.dev/v1", "Service", True, id="custom resource named like one of ours"),
        pytest.param("networking.istio.io/v1beta1", "ServiceEntry", True, id="group that resembles one of ours"),
        pytest.param("policy/v1beta1", "PodSecurityPolicy", True, id="kind of Kubernetes that is not served"),
        pytest.param("extensions/v1beta1", "PodSecurityPolicy", True, id="the same of an old group"),
        pytest.param("storage.k8s.io/v1", "CSINode", True, id="kind that resembles another of its group"),
        pytest.param("apps/v1", "Deploymnet", False, id="misspelt kind"),
        pytest.param("v1", "Deployment", False, id="another group"),
        pytest.param("networking.k8.io/v1", "Ingress", False, id="misspelt group"),
    ],
)
def test_a_kind_that_is_not_served_is_told_from_a_slip(version: str, kind: str, unknown: bool) -> None:
    (fault,) = load("a.yaml", f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w}}\n".encode()).faults
    assert fault.is_unknown_kind == unknown
    assert (".wherryignore" in fault.message) == unknown


def test_a_custom_resource_hides_no_object_of_ours() -> None:
    text = "apiVersion: x.io/v1\nkind: Certificate\nmetadata: {name: w}\n---\n" + config_map("a")
    state = load("a.yaml", text.encode())
    assert not state.hides
    assert state.is_sound
    assert [claim.ref.name for claim in state.claims] == ["a"]


def test_a_duplicate_key_spoils_the_object_and_says_its_line() -> None:
    state = load("a.yaml", (config_map("a") + "data: {}\n").encode())
    assert [claim.data for claim in state.claims] == [None]
    assert str(state.faults[0]).startswith("a.yaml:5: ConfigMap/a: the key 'data' is there twice")


def test_a_duplicate_key_hides_no_other_fault() -> None:
    state = load("a.yaml", (config_map("a") + "data: {}\ndta: {}\n").encode())
    assert [(one.line, one.field) for one in state.faults] == [(5, ""), (6, "dta")]


def test_of_a_duplicate_key_the_last_one_counts_with_a_warning_where_that_is_asked_for() -> None:
    text = (config_map("a") + "data: {z: last}\ndta: {}\n").encode()
    warned, ignored = load("a.yaml", text, "Warn"), load("a.yaml", text, "Ignore")
    assert [(one.line, one.field, one.severity) for one in warned.faults] == [(5, "", "warning"), (6, "dta", "warning")]
    assert ignored.faults == ()
    assert warned.claims == ignored.claims
    assert msgspec.json.decode(warned.claims[0].data or b"")["data"] == {"z": "last"}


def test_a_value_that_yaml_cannot_say_is_refused_however_strict() -> None:
    state = load("a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: .inf}\n", "Ignore")
    assert [claim.data for claim in state.claims] == [None]
    assert [one.severity for one in state.faults] == ["error"]


def test_the_lines_of_faults_in_lists_are_those_of_the_element() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a\n  dta: {}\n"
    )
    assert faults(text)[0].startswith("a.yaml:8: ConfigMap/a: dta: unknown field")


def test_what_the_cluster_writes_is_left_out_of_the_declaration_with_a_warning() -> None:
    text = config_map("a").replace("{name: a}", "{name: a, uid: x, resourceVersion: '5', creationTimestamp: null}")
    state = sound(text)
    assert sorted(one.field for one in state.faults) == ["metadata.resourceVersion", "metadata.uid"]
    declared = msgspec.json.decode(state.claims[0].data or b"")
    assert declared["metadata"] == {"name": "a", "namespace": "default"}


def test_nulls_declare_nothing() -> None:
    state = sound(config_map("a") + "binaryData:\nimmutable: null\n")
    assert set(msgspec.json.decode(state.claims[0].data or b"")) == {"apiVersion", "kind", "metadata", "data"}


def test_base64_broken_over_lines_is_declared_in_one_piece() -> None:
    state = sound("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: |\n    aGVs\n    bG8=\n  b: null\n")
    assert state.claims[0].data is not None
    assert msgspec.json.decode(state.claims[0].data)["data"] == {"a": "aGVsbG8="}


def test_the_texts_of_a_secret_are_declared_as_its_data() -> None:
    state = sound("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: eA==, b: eA==}\nstringData: {b: z}\n")
    declared = msgspec.json.decode(state.claims[0].data or b"")
    assert "stringData" not in declared
    assert {name: base64.b64decode(value) for name, value in declared["data"].items()} == {"a": b"x", "b": b"z"}


def test_a_broken_file_remembers_the_names_that_it_mentions() -> None:
    state = load("a.yaml", b'kind: Pod\nmetadata:\n  name: "web-1"\n  labels: {name: x.y}\nbroken: [\n')
    assert state.hides
    assert state.mentions == {"web-1", "x.y"}


def test_the_faults_of_one_file_are_bounded() -> None:
    text = "---\n".join("a: 1\n" for _ in range(5000))
    state = load("a.yaml", text.encode())
    assert len(state.faults) == 201
    assert "more faults are left out" in state.faults[-1].message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "apiVerson: v1\nkind: Pod\nmetadata: {name: a}\n",
            "a.yaml:1: Pod/a: apiVerson: apiVersion is missing; did you mean `apiVersion`?",
            id="apiVersion",
        ),
        pytest.param(
            "apiVersion: v1\nKind: Pod\nmetadata: {name: a}\n",
            "a.yaml:2: a: Kind: kind is missing; did you",
            id="kind",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Pod\nmetdata: {name: a}\n",
            "a.yaml:3: Pod: metdata: metadata.name is missing",
            id="metadata",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  nmae: a\n",
            "a.yaml:4: Pod: metadata.nmae: is missing; did you",
            id="name",
        ),
        pytest.param(
            "version: '3'\nservices: {}\n", "a.yaml:1: apiVersion is missing; a manifest starts", id="no manifest"
        ),
    ],
)
def test_a_misspelt_key_that_names_the_object_is_told_at_its_own_line(text: str, says: str) -> None:
    assert faults(text)[0].startswith(says)


def test_a_document_without_a_name_has_its_other_faults_told_too() -> None:
    found = faults(config_map("a").replace("name: a", "labels: {a: 1}") + "dta: {}\n")
    assert [line.split(": ")[2] for line in found] == ["metadata.name", "dta", "metadata.labels[a]"]
