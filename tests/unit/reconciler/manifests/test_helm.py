import msgspec
import pytest

from reconciler.manifests.helm import Chart, Release, arguments, read_chart, read_release, taken
from reconciler.manifests.parse import Problem


def test_a_release_has_defaults_for_all() -> None:
    assert read_release("shop/wherry.helm.yaml", b"{}") == Release("shop")
    assert read_release("wherry.helm.yaml", b"{}") == Release(".")


def test_a_release_names_its_files_from_its_own_folder() -> None:
    text = b"chart: ../charts/shop\nrelease: shop\nnamespace: store\nvaluesFiles: [prod.yaml]\nvalues: {replicas: 3}\n"
    found = read_release("prod/wherry.helm.yaml", text)
    assert found == Release("charts/shop", "shop", "store", ("prod/prod.yaml",), b'{"replicas":3}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "a release is a mapping of chart", id="empty"),
        pytest.param("- a", "a release is a mapping of chart", id="a list"),
        pytest.param("a: [", "this is not YAML", id="no YAML"),
        pytest.param("chart: .\nchart: .", "twice", id="a key twice"),
        pytest.param("version: 1", "version is no field of a release; they are chart, release,", id="unknown"),
        pytest.param("chart: 1", "chart: expected a text, found 1", id="number"),
        pytest.param("release: --post-renderer", "lower-case letters, digits and -", id="an option"),
        pytest.param("namespace: A", "lower-case letters, digits and -", id="upper case"),
        pytest.param("valuesFiles: a.yaml", "expected a list of paths", id="no list"),
        pytest.param("values: a.yaml", "expected a mapping", id="no values"),
    ],
)
def test_what_is_wrong_with_a_release_is_said(text: str, words: str) -> None:
    found = read_release("wherry.helm.yaml", text.encode())
    assert isinstance(found, Problem)
    assert words in found.message


def test_a_chart_has_a_name_and_may_be_a_library() -> None:
    assert read_chart(b"name: shop\nversion: 1.0.0") == Chart("shop")
    assert read_chart(b"{name: base, type: library}") == Chart("base", is_library=True)
    assert isinstance(read_chart(b"name: --debug"), Problem)


def test_helm_is_asked_for_a_template_alone() -> None:
    release = Release("charts/shop", "shop", "store", ("a.yaml", "b.yaml"), b"{}")
    assert arguments(release, "/s/charts/shop", ["/s/a.yaml", "/s/b.yaml"]) == [
        *("template", "shop", "/s/charts/shop", "--namespace", "store", "--kube-version", "1.36.2", "--skip-tests"),
        *("--values", "/s/a.yaml", "--values", "/s/b.yaml", "--values", "-"),
    ]


CONFIG = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
SPACE = b"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n"
PLACED = b"---\napiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: other}\n"
HOOK = b"---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: d, annotations: {helm.sh/hook: pre-delete}}\n"


def test_what_is_in_no_namespace_goes_into_the_release_s() -> None:
    found = taken(CONFIG + SPACE + PLACED, "store")
    placed = [msgspec.json.decode(line)["metadata"] for line in found.content.splitlines()]
    assert placed == [{"name": "a", "namespace": "store"}, {"name": "b"}, {"name": "c", "namespace": "other"}]


def test_hooks_are_left_out_and_named() -> None:
    found = taken(CONFIG + HOOK, "default")
    assert found.hooks == ("Job/d",)
    assert b"Job" not in found.content
    assert msgspec.json.decode(found.content)["metadata"]["name"] == "a"


def test_what_needs_nothing_is_taken_as_it_is() -> None:
    assert taken(CONFIG + PLACED, "default").content == CONFIG + PLACED


@pytest.mark.parametrize("rendered", [b"a: [", b"kind: ConfigMap\nkind: ConfigMap\nmetadata: {name: a}\n"])
def test_output_that_is_no_yaml_is_a_fault(rendered: bytes) -> None:
    assert taken(rendered, "store").problem is not None
