from posixpath import dirname

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.kustomize import Kustomization
from reconciler.manifests.units import Form, Layout, Unit, layout

K, CHART, RELEASE, COMPOSE = "kustomization.yaml", "Chart.yaml", "wherry.helm.yaml", "compose.yaml"


def refers(*paths: str) -> Kustomization:
    return Kustomization(paths)


def of(kustomizations: dict[str, Kustomization], *others: str, charts: dict[str, str] | None = None) -> Layout:
    return layout({*kustomizations, *others}, kustomizations, charts or {})


def mains(found: Layout) -> list[str]:
    return [unit.main for unit in found.units]


def test_a_folder_without_main_files_is_plain() -> None:
    assert layout((), {}, {}) == Layout()
    assert Layout().is_plain("a/b.yaml")


def test_each_form_is_found_by_its_main_file() -> None:
    found = of({f"a/{K}": refers()}, f"b/{CHART}", f"c/{RELEASE}", f"d/{COMPOSE}")
    assert found.units == (
        Unit(f"a/{K}", Form.KUSTOMIZATION),
        Unit(f"b/{CHART}", Form.CHART),
        Unit(f"c/{RELEASE}", Form.RELEASE),
        Unit(f"d/{COMPOSE}", Form.COMPOSE),
    )


def test_kustomizations_and_charts_own_all_that_is_below_and_the_others_only_their_own_files() -> None:
    found = of({f"a/{K}": refers()}, f"b/{CHART}", f"c/{RELEASE}", f"d/{COMPOSE}", "d/compose.override.yml")
    plain = {path for path in ("a/x.yaml", "a/b/x.yaml", "b/templates/x.yaml", "ab.yaml") if found.is_plain(path)}
    assert plain == {"ab.yaml"}
    assert found.is_plain("c/x.yaml")
    assert found.is_plain("d/x.yaml")
    assert not any(map(found.is_plain, (f"c/{RELEASE}", f"d/{COMPOSE}", "d/compose.override.yml")))


def test_at_the_top_of_the_source_all_is_owned() -> None:
    found = of({K: refers("web")}, "web/compose.yaml")
    assert mains(found) == [K]
    assert not found.is_plain("anything/at/all.yaml")


@pytest.mark.parametrize(
    ("kustomizations", "others", "built"),
    [
        pytest.param(
            {f"base/{K}": refers(), f"overlays/prod/{K}": refers("../../base")},
            [],
            [f"overlays/prod/{K}"],
            id="a base is built as a part of its overlay alone",
        ),
        pytest.param(
            {f"base/{K}": refers(), f"dev/{K}": refers("../base"), f"prod/{K}": refers("../base/")},
            [],
            [f"dev/{K}", f"prod/{K}"],
            id="two overlays are both built",
        ),
        pytest.param(
            {f"app/{K}": refers("dev"), f"app/dev/{K}": refers(), f"app/prod/{K}": refers()},
            [],
            [f"app/{K}"],
            id="the outermost is built and none below it",
        ),
        pytest.param(
            {f"app/{K}": refers("x.yaml"), f"app/overlays/prod/{K}": refers("../..")},
            [],
            [f"app/overlays/prod/{K}"],
            id="a base above its overlay is a base all the same",
        ),
        pytest.param(
            {f"a/{K}": refers("../b"), f"b/{K}": refers("../a")},
            [],
            [f"a/{K}"],
            id="of a circle the first says so",
        ),
        pytest.param({f"a/{K}": refers(".")}, [], [f"a/{K}"], id="one that names itself says so"),
        pytest.param(
            {f"c/{K}": Kustomization(is_component=True), f"b/{K}": Kustomization(("../c",), is_component=True)},
            [],
            [],
            id="components are not built on their own",
        ),
        pytest.param({f"a/{K}": refers(), "a/kustomization.yml": refers()}, [], [f"a/{K}"], id="two names in a folder"),
        pytest.param({K: refers("base"), f"base/{K}": refers()}, [], [K], id="the source itself is one"),
        pytest.param(
            {f"base/{K}": refers(), f"o/{K}": refers("../base/x.yaml")}, [], [f"base/{K}", f"o/{K}"], id="file"
        ),
        pytest.param({f"a/{K}": refers()}, [f"a/charts/x/{CHART}"], [f"a/{K}"], id="a chart below a kustomization"),
        pytest.param({f"x/t/{K}": refers()}, [f"x/{CHART}"], [f"x/{CHART}"], id="a kustomization below a chart"),
        pytest.param({}, [f"x/{CHART}", f"x/charts/y/{CHART}"], [f"x/{CHART}"], id="a chart below a chart"),
        pytest.param({f"a/{K}": refers()}, [f"a/{CHART}"], [f"a/{K}"], id="both in one folder"),
        pytest.param({}, ["docker-compose.yml", COMPOSE], [COMPOSE], id="two Compose files in one folder"),
        pytest.param({f"a/{K}": refers()}, [f"a/b/{COMPOSE}", f"a/{RELEASE}"], [f"a/{K}"], id="others below it"),
    ],
)
def test_what_is_built(kustomizations: dict[str, Kustomization], others: list[str], built: list[str]) -> None:
    assert mains(of(kustomizations, *others)) == built


@pytest.mark.parametrize("chart", ["charts/web", "shop"])
def test_a_chart_that_a_release_names_is_not_built_on_its_own(chart: str) -> None:
    found = of({}, f"{chart}/{CHART}", f"shop/{RELEASE}", charts={f"shop/{RELEASE}": chart})
    assert mains(found) == [f"shop/{RELEASE}"]
    assert not found.is_plain(f"{chart}/templates/x.yaml")


def test_a_chart_at_the_top_may_have_its_release_beside_it() -> None:
    assert mains(of({}, CHART, RELEASE, charts={RELEASE: "."})) == [RELEASE]


FOLDERS = st.sampled_from(("", "a", "b", "a/b", "a/c", "a/b/c", "b/a"))
TARGETS = st.sampled_from((".", "..", "b", "../b", "../a", "../../a", "c"))


@settings(max_examples=100)
@given(
    st.dictionaries(FOLDERS, st.builds(Kustomization, st.lists(TARGETS, max_size=2).map(tuple))),
    st.sets(st.builds(lambda folder, name: f"{folder}/{name}".strip("/"), FOLDERS, st.sampled_from((CHART, COMPOSE)))),
)
def test_the_layout_is_one_of_the_files_and_no_unit_lies_in_another(
    by_folder: dict[str, Kustomization], others: set[str]
) -> None:
    kustomizations = {f"{folder}/{K}".strip("/"): one for folder, one in by_folder.items()}
    markers = [*kustomizations, *sorted(others)]
    found = layout(markers, kustomizations, {})
    assert found == layout(reversed(markers), dict(reversed(kustomizations.items())), {})
    owning = [unit for unit in found.units if unit.form is not Form.COMPOSE]
    for unit in found.units:
        assert not found.is_plain(unit.main)
        above = [
            one for one in owning if one is not unit and f"{dirname(unit.main)}/".startswith(f"{dirname(one.main)}/")
        ]
        assert not above
    if kustomizations and not any(CHART in one for one in others):
        assert any(unit.form is Form.KUSTOMIZATION for unit in found.units)
