import pytest

from reconciler.manifests.kustomize import read_kustomization, targets


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        pytest.param(
            "resources: [a.yaml, ../base]\ncomponents: [c]\nbases: [b]", ("a.yaml", "../base", "b", "c"), id="lists"
        ),
        pytest.param("patches:\n- path: p.yaml\n- patch: |-\n    a: 1\n", ("p.yaml",), id="patches"),
        pytest.param(
            "patchesStrategicMerge:\n- p.yaml\n- |-\n    a: 1\n    b: 2\n", ("p.yaml",), id="written out in place"
        ),
        pytest.param(
            "patchesJson6902: [{path: j.json}]\nreplacements: [{path: r.yaml}]", ("j.json", "r.yaml"), id="more"
        ),
        pytest.param(
            "configMapGenerator: [{files: [plain.txt, key=other.txt], envs: [e.env], env: f.env, literals: [a=b]}]",
            ("plain.txt", "other.txt", "e.env", "f.env"),
            id="generators",
        ),
        pytest.param(
            "secretGenerator: [{files: [s]}]\nopenapi: {path: o.json}", ("s", "o.json"), id="secrets and openapi"
        ),
        pytest.param("resources: a.yaml\npatches: 1\nconfigMapGenerator: [x]\nopenapi: 1", (), id="wrong types"),
        pytest.param("resources: [", (), id="no YAML"),
        pytest.param("", (), id="empty"),
        pytest.param("- a", (), id="a list"),
    ],
)
def test_the_files_that_a_kustomization_names(text: str, paths: tuple[str, ...]) -> None:
    assert read_kustomization(text.encode()).paths == paths


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.com/x.yaml",
        "ssh://git@example.com/x",
        "git@example.com:x/y",
        "git::https://example.com/x",
        "github.com/a/b",
        "example.com/a/b//c?ref=v1",
        "file:///etc/x",
    ],
)
def test_what_lies_on_the_network_is_named_with_its_line(reference: str) -> None:
    found = read_kustomization(f"namePrefix: a-\nresources:\n- a.yaml\n- {reference}\n".encode())
    assert found.paths == ("a.yaml",)
    assert [problem.line for problem in found.remotes] == [4]
    assert found.remotes[0].message.startswith(f"{reference} lies on the network")


def test_charts_that_kustomize_would_fetch_are_named() -> None:
    assert read_kustomization(b"helmCharts: [{name: x}]").remotes[0].message.startswith("helmCharts is not built")


def test_paths_are_from_the_folder_of_the_kustomization() -> None:
    found = read_kustomization(b"resources: [../../base/, ./a.yaml, /abs, ../../../out]")
    assert targets("overlays/prod/kustomization.yaml", found) == ("base", "overlays/prod/a.yaml", "/abs", "../out")


def test_a_component_says_so() -> None:
    assert read_kustomization(b"kind: Component").is_component
