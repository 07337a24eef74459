import pytest

from reconciler.manifests.git import answers
from reconciler.manifests.git.answers import Remote

A, B = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("output", "ref", "expected"),
    [
        pytest.param(f"{A}\trefs/heads/main\n", "refs/heads/main", Remote(A, A), id="branch"),
        pytest.param(f"{A}\trefs/heads/x/refs/heads/main\n", "refs/heads/main", None, id="another that ends alike"),
        pytest.param(f"ref: refs/heads/trunk\tHEAD\n{A}\tHEAD\n", "HEAD", Remote(A, A, "trunk"), id="HEAD"),
        pytest.param(f"{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n", "refs/tags/v1", Remote(A, B), id="annotated tag"),
        pytest.param("", "HEAD", None, id="empty"),
        pytest.param("<html>\n", "HEAD", None, id="something else"),
    ],
)
def test_where_the_remote_says_its_reference_is(output: str, ref: str, expected: Remote | None) -> None:
    assert answers.remote(output, ref) == expected


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        pytest.param("fatal: could not read Username for 'https://x': No such", "give `secret", id="no password"),
        pytest.param("Host key verification failed.\r\nfatal: Could not read", "ssh-keyscan", id="host key"),
        pytest.param("git@x: Permission denied (publickey).\nfatal: Could", "deploy key", id="deploy key"),
        pytest.param("fatal: unable to access: Could not resolve host: x", "is the link up", id="no link"),
        pytest.param("fatal: write error: No space left on device", "make room", id="full disk"),
        pytest.param("sh: 1: exec: git: not found", "apt install git", id="no git"),
        pytest.param("remote: Repository is archived\nfatal: denied", "Repository is archived", id="server's words"),
        pytest.param("", "git did not say why", id="nothing"),
    ],
)
def test_what_went_wrong_is_said_with_what_to_do(errors: str, said: str) -> None:
    assert said in answers.trouble("it cannot be fetched", errors).text


def test_the_same_failure_reads_the_same_each_time_and_is_bounded() -> None:
    first = answers.trouble("x", "fatal: Failed to connect to h port 443 after 3 ms: Couldn't connect to server")
    second = answers.trouble("x", "fatal: Failed to connect to h port 443 after 17 ms: Couldn't connect to server")
    assert first == second
    assert len(answers.trouble("x", f"fatal: {'y' * 9000}\x1b[31m").text) < 500
    assert "\x1b" not in answers.trouble("x", "fatal: \x1b[31mred").text


@pytest.mark.parametrize(
    ("errors", "is_damage"),
    [
        pytest.param("error: object file objects/aa/bb is empty\nfatal: x", True, id="ours"),
        pytest.param("remote: error: object file objects/aa/bb is empty\nfatal: early EOF", False, id="the remote's"),
        pytest.param("fatal: early EOF", False, id="a cut connection"),
    ],
)
def test_only_damage_to_our_own_repository_has_it_made_anew(errors: str, is_damage: bool) -> None:
    assert answers.trouble("x", errors).is_damage is is_damage
