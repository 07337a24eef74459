"""The project as a source sees it: claims with lines, faults, and what a fault leaves in place."""

from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.compose import load_project
from reconciler.manifests.ledger import Ledger
from schemas.meta import Ref
from tests.unit.reconciler.manifests.compose.folder import project, source

GOOD = (
    "services:\n  web:\n    image: nginx\n  db:\n    image: postgres\n    configs: [c]\nconfigs:\n  c: {content: a}\n"
)
DEPLOYMENT = Ref("Deployment", "default", "web")


def test_every_object_is_claimed_at_the_line_of_what_it_is_made_of() -> None:
    state = project(GOOD).state
    assert {str(claim.ref): claim.line for claim in state.claims} == {
        str(Ref("ConfigMap", "default", "shop-c")): 8,
        str(Ref("Deployment", "default", "web")): 2,
        str(Ref("Service", "default", "web")): 2,
        str(Ref("Deployment", "default", "db")): 4,
        str(Ref("Service", "default", "db")): 4,
    }
    assert all(claim.data and msgspec.json.decode(claim.data)["metadata"]["name"] for claim in state.claims)
    assert state.is_sound
    assert state.documents == 5


def test_a_broken_service_keeps_its_objects_while_the_others_go_on() -> None:
    state = project(GOOD.replace("image: nginx", "image: nginx\n    ports: [x]")).state
    data = {str(claim.ref): claim.data for claim in state.claims}
    assert data[str(DEPLOYMENT)] is None
    assert data[str(Ref("Deployment", "default", "db"))] is not None
    assert state.hides


def test_a_service_whose_secret_is_broken_keeps_its_objects() -> None:
    state = project(GOOD.replace("{content: a}", "{file: gone}")).state
    data = {str(claim.ref): claim.data for claim in state.claims}
    assert data[str(Ref("Deployment", "default", "db"))] is None
    assert data[str(DEPLOYMENT)] is not None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("services: {", id="not YAML"),
        pytest.param(GOOD.replace("services:", "servics:"), id="a misspelt section"),
        pytest.param(GOOD.replace("  web:", "  web2:") + "nonsense: 1\n", id="a service renamed beside an error"),
        pytest.param(GOOD.replace("image: nginx", "ports: [x]"), id="a broken service"),
        pytest.param("include: [gone.yaml]\n" + GOOD, id="a file that is not there"),
    ],
)
def test_what_an_error_may_hide_is_kept(text: str) -> None:
    ledger = Ledger()
    ledger.take({"shop/compose.yaml": project(GOOD).state}, lambda _: "")
    ledger.take({"shop/compose.yaml": project(text).state}, lambda _: "")
    assert DEPLOYMENT in ledger.declared


def test_what_a_sound_project_no_longer_says_is_let_go() -> None:
    ledger = Ledger()
    ledger.take({"shop/compose.yaml": project(GOOD).state}, lambda _: "")
    ledger.take({"shop/compose.yaml": project("services: {db: {image: x}}").state}, lambda _: "")
    assert DEPLOYMENT not in ledger.declared


def test_two_projects_with_one_service_name_are_told_apart() -> None:
    ledger = Ledger()
    states = {
        main: load_project(main, source({main: "services: {db: {image: x}}"}).read)
        for main in ("a/compose.yaml", "b/compose.yaml")
    }
    ledger.take(states, lambda _: "")
    assert Ref("Deployment", "default", "db") in ledger.duplicates


def test_only_what_the_project_needs_is_read() -> None:
    asked: list[str] = []
    files = {
        "shop/compose.yaml": "services: {web: {image: x, env_file: [a.env], volumes: ['./c:/c:ro']}}",
        "shop/a.env": "A=1",
        "shop/c/d": "1",
    }
    inner = source(files)

    def read(name: str) -> bytes | None:
        asked.append(name)
        return inner.read(name)

    def listing(name: str) -> Sequence[str]:
        asked.append(f"{name}/*")
        return inner.files(name)

    assert load_project("shop/compose.yaml", read, listing).is_sound
    assert {"shop/.env", "shop/compose.override.yaml", "shop/a.env", "shop/c/*", "shop/c/d"} <= set(asked)


def test_faults_of_one_project_are_bounded() -> None:
    services = "".join(f"  s{n}: {{image: x, nonsense{n}: 1}}\n" for n in range(300))
    faults = project(f"services:\n{services}").state.faults
    assert len(faults) == 201
    assert "more faults are left out" in faults[-1].message


def mangled(text: str) -> st.SearchStrategy[str]:
    """The text with a piece of it gone, doubled or replaced."""
    at = st.integers(0, len(text))
    changes: list[Callable[[int, int], str]] = [
        lambda a, b: text[: min(a, b)] + text[max(a, b) :],
        lambda a, b: text[: max(a, b)] + text[min(a, b) :],
        lambda a, b: text[:a] + "${" + text[a:b] + ": [" + text[b:],
    ]
    return st.builds(lambda change, a, b: change(a, b), st.sampled_from(changes), at, at)


@settings(max_examples=100, deadline=None)
@given(mangled(GOOD))
def test_any_edit_has_an_answer_that_does_not_depend_on_chance(text: str) -> None:
    assert project(text).state == project(text).state
