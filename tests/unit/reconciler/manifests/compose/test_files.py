"""How a project's files become one: `.env`, overrides, `extends`, `include`, profiles."""

from collections.abc import Sequence

import pytest

from reconciler.manifests.compose.project import convert
from tests.unit.reconciler.manifests.compose.folder import container, errors, made, pod, project, said, source, warnings

WEB = "services: {web: {image: 'nginx:${VERSION:-1}'}}\n"


def images(files: dict[str, str], more: Sequence[str] = (), profiles: Sequence[str] = ()) -> dict[str, str]:
    converted = convert("shop/compose.yaml", source(files), more, profiles)
    assert not errors(converted)
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in converted.documents
        if one["kind"] == "Deployment"
    }


def test_variables_come_from_the_env_file_beside_the_project() -> None:
    assert images({"shop/compose.yaml": WEB, "shop/.env": "VERSION=2", ".env": "VERSION=3"}) == {"web": "nginx:2"}


@pytest.mark.parametrize("name", ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml"])
def test_an_override_beside_it_is_merged_over_it(name: str) -> None:
    files = {"shop/compose.yaml": WEB, f"shop/{name}": "services: {web: {image: other}, more: {image: x}}"}
    assert images(files) == {"web": "other", "more": "x"}


def test_compose_file_names_the_files_and_leaves_the_override_out() -> None:
    files = {
        "shop/compose.yaml": WEB,
        "shop/compose.override.yaml": "services: {web: {image: no}}",
        "shop/pi/compose.yaml": "services: {pi: {image: pi, env_file: [../pi.env]}}",
        "shop/.env": "COMPOSE_FILE=compose.yaml:pi/compose.yaml\nVERSION=9",
        "pi.env": "A=1",
    }
    assert images(files) == {"web": "nginx:9", "pi": "pi"}  # its paths are relative to the project, not to itself


def test_files_given_by_hand_take_the_place_of_the_override() -> None:
    files = {
        "shop/compose.yaml": WEB,
        "shop/compose.override.yaml": "services: {web: {image: no}}",
        "shop/a.yaml": "services: {web: {image: a}}",
        "shop/b.yaml": "services: {web: {image: b}}",
    }
    assert images(files, more=["shop/a.yaml", "shop/b.yaml"]) == {"web": "b"}


def test_documents_of_one_file_are_merged() -> None:
    assert images({"shop/compose.yaml": f"{WEB}---\nservices: {{web: {{image: b}}}}\n"}) == {"web": "b"}


@pytest.mark.parametrize(
    ("env", "given", "expected"),
    [
        pytest.param("", [], {"web"}, id="none"),
        pytest.param("COMPOSE_PROFILES=debug", [], {"web", "debug"}, id="from .env"),
        pytest.param("COMPOSE_PROFILES=debug, tools", [], {"web", "debug", "tools"}, id="several"),
        pytest.param("", ["tools"], {"web", "tools"}, id="by hand"),
        pytest.param("COMPOSE_PROFILES=*", [], {"web", "debug", "tools"}, id="all"),
    ],
)
def test_services_with_profiles_are_taken_where_one_is_on(env: str, given: list[str], expected: set[str]) -> None:
    text = (
        "services:\n  web: {image: x}\n  debug: {image: x, profiles: [debug, dev]}\n"
        "  tools: {image: x, profiles: [tools], depends_on: [web]}\n"
    )
    assert images({"shop/compose.yaml": text, "shop/.env": env}, profiles=given).keys() == expected


def test_a_service_that_is_off_is_not_looked_at() -> None:
    converted = project("services: {web: {image: x}, off: {build: ., profiles: [a], nonsense: 1}}")
    assert said(converted) == []


def test_a_service_waits_for_none_that_is_off() -> None:
    converted = project("services: {web: {image: x, depends_on: [off]}, off: {image: x, profiles: [a]}}")
    assert errors(converted) == ["services.web.depends_on.off: there is no service 'off'; there are web"]


# extends


def test_a_service_extends_another_of_its_file() -> None:
    text = "services: {base: {image: x, tty: true}, web: {extends: base, image: y}, api: {extends: {service: web}}}"
    converted = project(text)
    assert container(converted, "api") == container(converted, "web") | {"name": "api"}
    assert (container(converted)["image"], container(converted)["tty"]) == ("y", True)


def test_a_service_extends_one_of_another_file_whose_paths_are_its_own() -> None:
    files = {
        "shop/compose.yaml": (
            "services: {web: {extends: {file: ../common/base.yaml, service: base}, environment: [B=2]}}"
        ),
        "common/base.yaml": "services: {base: {extends: root, env_file: [base.env]}, root: {image: 'x:${TAG}'}}",
        "common/base.env": "A=1\nB=1",
        "shop/.env": "TAG=7",
    }
    converted = convert("shop/compose.yaml", source(files))
    assert container(converted)["image"] == "x:7"
    assert container(converted)["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "web: {extends: gone, image: x}", "there is no service 'gone' to extend; there are web", id="none"
        ),
        pytest.param("web: {extends: web}", "the service extends itself", id="itself"),
        pytest.param("web: {extends: b}\n  b: {extends: web}", "the service extends itself", id="circle"),
        pytest.param("web: {extends: {file: ../../a, service: b}}", "is outside of the folder", id="outside"),
    ],
)
def test_what_cannot_be_extended_is_told(text: str, words: str) -> None:
    assert any(words in error for error in errors(project(f"services:\n  {text}\n")))


# include


def test_a_project_includes_others_with_folders_and_variables_of_their_own() -> None:
    files = {
        "shop/compose.yaml": "include: [../db/compose.yaml]\nservices: {web: {image: 'w:${TAG}', depends_on: [db]}}",
        "shop/.env": "TAG=1",
        "db/compose.yaml": "services: {db: {image: 'db:${TAG}-${OWN}', env_file: own.env}}\nvolumes: {d: {}}",
        "db/.env": "TAG=2\nOWN=3",
        "db/own.env": "A=1",
    }
    converted = convert("shop/compose.yaml", source(files))
    assert container(converted)["image"] == "w:1"
    assert container(converted, "db")["image"] == "db:1-3"  # what includes is stronger
    assert made(converted, "PersistentVolumeClaim", "shop-d")


def test_an_include_may_merge_files_and_name_its_folder_and_variables() -> None:
    files = {
        "shop/compose.yaml": (
            "include:\n  - path: [../db/a.yaml, ../db/b.yaml]\n"
            "    project_directory: ../db/data\n    env_file: ../db/x.env\n"
        ),
        "db/a.yaml": "services: {db: {image: 'a:${X}', env_file: one.env}}",
        "db/b.yaml": "services: {db: {tty: true}}",
        "db/x.env": "X=5",
        "db/data/one.env": "A=1",
    }
    converted = convert("shop/compose.yaml", source(files))
    assert container(converted, "db")["image"] == "a:5"
    assert container(converted, "db")["tty"] is True
    assert container(converted, "db")["env"] == [{"name": "A", "value": "1"}]


def test_what_two_projects_both_have_has_to_be_the_same() -> None:
    files = {
        "shop/compose.yaml": "include: [a.yaml]\nservices: {web: {image: x}}\nvolumes: {d: {}}",
        "shop/a.yaml": "services: {web: {image: y}}\nvolumes: {d: {}}",
    }
    converted = convert("shop/compose.yaml", source(files))
    assert errors(converted) == ["include[0]: services.web is also in shop/a.yaml, and differs; rename one of them"]


@pytest.mark.parametrize(
    ("files", "line", "words"),
    [
        pytest.param({"a.yaml": "include: [compose.yaml]"}, 1, "includes itself", id="circle"),
        pytest.param({}, 1, "the file is not there", id="absent"),
        pytest.param({"a.yaml": "- 1"}, 1, "expected a map with `services`", id="a list"),
        pytest.param({"a.yaml": "\nservices: {a: {\n"}, 3, "not YAML", id="broken"),
    ],
)
def test_what_cannot_be_included_is_told_in_its_own_file(files: dict[str, str], line: int, words: str) -> None:
    converted = project("include: [a.yaml]\nservices: {web: {image: x}}", files=files)
    (fault,) = converted.state.faults[:1]
    assert (fault.file, fault.line) == ("shop/a.yaml", line)
    assert words in fault.message
    assert converted.state.hides


def test_a_project_has_no_more_than_a_hundred_files() -> None:
    files = {f"{n}.yaml": f"include: [{n + 1}.yaml]" for n in range(120)}
    assert any(
        "more than 100 files" in fault.message for fault in project("include: [0.yaml]", files=files).state.faults
    )


def test_an_unset_variable_is_named_once_and_where_it_is_first_used() -> None:
    converted = project("services:\n  web:\n    image: x\n    command: [$A, $B]\n    labels: {a: $A}\n")
    assert said(converted) == [
        "warning shop/compose.yaml:4 services.web.command[0]: the variable A is not set, and empty; set it in .env",
        "warning shop/compose.yaml:4 services.web.command[1]: the variable B is not set, and empty; set it in .env",
    ]


def test_a_demanded_variable_that_is_missing_breaks_its_service_alone() -> None:
    converted = project("services: {web: {image: x}, db: {image: 'y:${TAG:?which one}'}}")
    assert errors(converted)[0] == ("services.db.image: the variable TAG has to be set: which one; set it in .env")
    assert pod(converted)


def test_the_projects_name_is_given_or_that_of_its_folder() -> None:
    def name(text: str, env: str = "", main: str = "shop/compose.yaml") -> str:
        converted = convert(main, source({main: text, "shop/.env": env}))
        found: str = converted.documents[0]["metadata"]["labels"]["app.kubernetes.io/part-of"]
        return found

    assert name(WEB) == "shop"
    assert name(WEB, "COMPOSE_PROJECT_NAME=env") == "env"
    assert name(f"name: Given_Name\n{WEB}", "COMPOSE_PROJECT_NAME=env") == "given-name"
    assert name(WEB, main="compose.yaml") == "compose"


def test_keys_of_env_files_that_are_broken_are_told_in_that_file() -> None:
    converted = project(WEB, files={".env": "VERSION=1\nwhat is this\n"})
    assert said(converted) == ["error shop/.env:2 : expected NAME=value; begin a comment with #"]
    assert not warnings(converted)
