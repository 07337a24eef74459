import json
from pathlib import Path

import pytest
import yaml

from reconciler.cli import parser


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "conf").mkdir(parents=True)
    (folder / "compose.yaml").write_text(
        "services:\n  web:\n    image: nginx:${TAG}\n    volumes: ['./conf:/conf:ro']\n"
        "  debug: {image: x, profiles: [debug]}\n"
    )
    (folder / ".env").write_text("TAG=1\n")
    (folder / "conf" / "a.conf").write_text("one\ntwo\n")
    (folder / "more.yaml").write_text("services: {web: {image: other}}\n")
    return folder


def run(*words: object) -> int:
    arguments = parser().parse_args(["convert", *map(str, words)])
    code: int = arguments.run(arguments)
    return code


def test_it_prints_manifests_in_a_readable_order(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop / "compose.yaml") == 0
    printed = capsys.readouterr().out
    assert [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(printed)] == [
        ("ConfigMap", "shop-conf"),
        ("Deployment", "web"),
        ("Service", "web"),
    ]
    assert "  a.conf: |\n    one\n    two\n" in printed
    assert "&id" not in printed
    assert printed.startswith("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop-conf\n")


def test_a_folder_stands_for_the_project_in_it(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop, "--output", "json", "--profile", "debug") == 0
    printed = json.loads(capsys.readouterr().out)
    assert {one["metadata"]["name"] for one in printed["items"]} == {"shop-conf", "web", "debug"}


def test_further_files_are_merged_over_it(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop, "-f", shop / "more.yaml", "-o", "json") == 0
    deployment = json.loads(capsys.readouterr().out)["items"][1]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "other"


def test_faults_go_beside_what_is_sound(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (shop / "compose.yaml").open("a") as stream:
        stream.write("  bad:\n    build: .\n    init: true\n")
    monkeypatch.chdir(shop)
    assert run("compose.yaml") == 1
    said = capsys.readouterr()
    assert "name: web\n" in said.out
    assert "name: bad\n" not in said.out
    assert "compose.yaml:7: service/bad: services.bad.build: images are not built here" in said.err
    assert "compose.yaml:8: service/bad: services.bad.init: no init process is added" in said.err
    assert said.err.count("(warning)") == sum("(warning)" in line for line in said.err.splitlines())


@pytest.mark.parametrize("words", [["gone.yaml"], ["."], ["shop", "-f", "../../outside.yaml"]])
def test_what_is_no_project_is_bad_usage(
    words: list[str], shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.parent)
    assert run(*words) == 2
    assert capsys.readouterr().err.startswith("wherry: ")


def test_the_folder_is_the_checkout_that_the_project_lies_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    project = tmp_path / "apps" / "shop"
    project.mkdir(parents=True)
    (project / "compose.yaml").write_text("services: {web: {image: x, env_file: ../../common.env}}")
    (tmp_path / "common.env").write_text("A=1")
    assert run(project, "-o", "json") == 0
    assert '"value": "1"' in capsys.readouterr().out


def test_a_link_that_leads_out_of_the_folder_is_not_followed(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path.parent / f"{tmp_path.name}-secret"
    secret.write_text("A=secret")
    (shop / "a.env").symlink_to(secret)
    (shop / "compose.yaml").write_text("services: {web: {image: x, env_file: a.env}}")
    assert run(shop) == 1
    said = capsys.readouterr()
    assert "a.env is not in the folder" in said.err
    assert "secret" not in said.out
