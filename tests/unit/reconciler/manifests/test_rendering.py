import os
import signal
import stat
import sys
from pathlib import Path
from time import monotonic

import pytest

from reconciler.manifests import rendering
from reconciler.manifests.parse import MAX_BYTES
from tests.unit.reconciler.manifests.builders import config_map


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which programs are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "folder").mkdir()
    return str(tmp_path / "folder")


def stand_in(programs: Path, name: str, code: str) -> None:
    """A program of that name, in Python."""
    path = programs / name
    path.write_text(f"#!{sys.executable} -IS\nimport os, sys, time\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_real_kubectl_builds_a_kustomization(folder: str, programs: Path) -> None:
    (programs / "kubectl").symlink_to(Path(sys.executable).parent / "kubectl")
    Path(folder, "a.yaml").write_text(config_map("a"))
    Path(folder, "kustomization.yaml").write_text("resources: [a.yaml]\nnamePrefix: b-\n")
    found = rendering.kustomize(folder)
    assert (found.error, found.is_final) == ("", True)
    assert b"name: b-a" in found.content


def test_the_real_kubectl_says_in_its_own_words_what_is_wrong(folder: str, programs: Path) -> None:
    (programs / "kubectl").symlink_to(Path(sys.executable).parent / "kubectl")
    Path(folder, "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    found = rendering.kustomize(folder)
    assert found.error.startswith("kubectl kustomize: accumulating resources: ")
    assert found.is_final


@pytest.mark.parametrize("resource", ["https://example.com/a.yaml", "https://github.com/a/b?ref=c"])
def test_the_real_kubectl_has_no_way_to_the_network(folder: str, programs: Path, resource: str) -> None:
    (programs / "kubectl").symlink_to(Path(sys.executable).parent / "kubectl")
    Path(folder, "kustomization.yaml").write_text(f"resources: ['{resource}']\n")
    started = monotonic()
    found = rendering.kustomize(folder)
    assert "127.0.0.1:9" in found.error or "transport 'https' not allowed" in found.error
    assert monotonic() - started < 30


def test_kustomize_serves_where_there_is_no_kubectl(folder: str, programs: Path) -> None:
    stand_in(programs, "kustomize", "print(sys.argv[1:], os.getcwd() == sys.argv[2])")
    assert rendering.kustomize(folder).content.decode() == f"['build', '{folder}'] True\n"


def test_a_program_that_is_not_installed_is_named_with_how_to_install_it(folder: str, programs: Path) -> None:
    assert "neither kubectl nor kustomize is installed here; install one of" in rendering.kustomize(folder).error
    assert "no helm is installed here; install it (https://helm.sh" in rendering.helm(["template"], folder, b"").error


def test_a_program_has_an_environment_of_its_own(folder: str, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/etc/secret")
    stand_in(programs, "helm", "print(sorted(os.environ), os.listdir(os.environ['HOME']))")
    found = rendering.helm(["template"], folder, b"").content.decode()
    assert "KUBECONFIG" not in found
    assert found.endswith("[]\n")
    assert "'HTTPS_PROXY'" in found


def test_values_are_given_as_standard_input_however_many(folder: str, programs: Path) -> None:
    stand_in(programs, "helm", "print(len(sys.stdin.buffer.read()))")
    assert rendering.helm(["template"], folder, b"x" * 1_000_000).content == b"1000000\n"
    stand_in(programs, "helm", "print('no interest')")
    assert rendering.helm(["template"], folder, b"x" * 1_000_000).content == b"no interest\n"


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(folder: str, programs: Path) -> None:
    stand_in(programs, "helm", f"pid = os.fork()\nif pid: open('{folder}/pid', 'w').write(str(pid))\ntime.sleep(600)")
    found = rendering.helm(["template"], folder, b"", seconds=1.0)
    assert "helm template took longer than 1 s and was ended" in found.error
    assert not found.is_final
    assert is_gone(int(Path(folder, "pid").read_text()))


def test_a_program_that_stays_after_its_last_word_is_ended_too(folder: str, programs: Path) -> None:
    stand_in(programs, "helm", "os.close(1); os.close(2); time.sleep(600)")
    assert "took longer" in rendering.helm(["template"], folder, b"", seconds=0.5).error


def test_output_without_end_is_cut_off(folder: str, programs: Path) -> None:
    stand_in(programs, "helm", "while True: os.write(1, b'x' * 65536)")
    found = rendering.helm(["template"], folder, b"")
    assert f"more than the {MAX_BYTES} bytes" in found.error
    assert found.is_final


def test_words_without_end_are_cut_off(folder: str, programs: Path) -> None:
    stand_in(programs, "helm", "os.write(2, b'Error: ' + b'very long ' * 100000); sys.exit(3)")
    found = rendering.helm(["template"], folder, b"")
    assert found.error.startswith("helm template: very long very long")
    assert len(found.error) < 2100


@pytest.mark.parametrize(
    ("code", "words", "is_final"),
    [
        pytest.param("sys.exit(3)", "failed with exit code 3, without a word", True, id="silent"),
        pytest.param("os.kill(os.getpid(), 9)", "ended by signal 9", False, id="killed"),
    ],
)
def test_a_program_that_fails_without_a_word(
    folder: str, programs: Path, code: str, words: str, is_final: bool
) -> None:
    stand_in(programs, "helm", code)
    found = rendering.helm(["template"], folder, b"")
    assert words in found.error
    assert found.is_final is is_final


def test_memory_is_bounded(folder: str, programs: Path) -> None:
    stand_in(programs, "helm", "b'x' * (3 << 30)")
    assert "MemoryError" in rendering.helm(["template"], folder, b"").error


def test_a_program_that_cannot_be_run_is_named(folder: str, programs: Path) -> None:
    (programs / "helm").write_text("#!/nowhere/at/all\n")
    (programs / "helm").chmod(0o755)
    found = rendering.helm(["template"], folder, b"")
    assert "helm cannot be run: No such file" in found.error
    assert not found.is_final


def test_another_program_is_told_apart(programs: Path) -> None:
    before = rendering.programs()
    stand_in(programs, "helm", "")
    assert rendering.programs() != before


def is_gone(pid: int) -> bool:
    """Killed, be it reaped yet or not."""
    try:
        os.kill(pid, signal.SIG_DFL)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return True
