import pytest

from reconciler.manifests.git.address import address, check_name, check_path


@pytest.mark.parametrize(
    ("url", "scheme", "host"),
    [
        pytest.param("https://git.example/fleet.git", "https", "git.example", id="https"),
        pytest.param("https://git.example:8443/a/b", "https", "git.example:8443", id="port"),
        pytest.param("ssh://git@git.example:2222/fleet.git", "ssh", "git.example:2222", id="ssh"),
        pytest.param("git@git.example:fleet.git", "ssh", "git.example", id="short ssh"),
        pytest.param("pi:/srv/fleet.git", "ssh", "pi", id="short ssh with a path"),
        pytest.param("file:///media/usb/fleet.bundle", "file", "", id="file"),
    ],
)
def test_the_addresses_that_a_repository_may_have(url: str, scheme: str, host: str) -> None:
    found = address(url)
    assert (found.url, found.scheme, found.host) == (url, scheme, host)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("ext::sh -c id", "without spaces", id="a program"),
        pytest.param("ext::sh", "expected https://HOST", id="a program without arguments"),
        pytest.param("http://git.example/x", "use https", id="http"),
        pytest.param("git://git.example/x", "expected https", id="git"),
        pytest.param("--upload-pack=id", "expected https", id="an option"),
        pytest.param("ssh://-oProxyCommand=id/x", "expected https", id="an option as host"),
        pytest.param("-oProxyCommand=id:x", "expected https", id="an option as short host"),
        pytest.param("https://ann:secret@git.example/x", "user name and password as `secret", id="a password"),
        pytest.param("https://token@git.example/x", "user name and password as `secret", id="a token"),
        pytest.param("https://git.example", "expected https", id="no path"),
        pytest.param("https://git.example/x?y=1", "nothing after the path", id="a query"),
        pytest.param("https://git.example:port/x", "expected https", id="a port that is none"),
        pytest.param("file://host/x", "expected https", id="a file elsewhere"),
        pytest.param("/srv/fleet", "write file:///srv/fleet", id="a path"),
        pytest.param("fleet", "expected https", id="a word"),
        pytest.param("https://git.example/x\n", "control characters", id="a line"),
    ],
)
def test_what_is_no_address_is_refused_and_no_password_repeated(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"expected|write|use|secret") as raised:
        address(url)
    assert said in str(raised.value)
    assert "secret@" not in str(raised.value)
    assert ":secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["main", "feature/x", "v1.2", "release-1"])
def test_names_of_branches_and_tags(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "a..b", "a b", "a^", "a:b", "x.lock", "a//b", "/a", "a/", ".a", "a@{1}", "*"]
)
def test_what_is_no_name_of_a_branch(name: str) -> None:
    with pytest.raises(ValueError, match="name of a branch"):
        check_name(name)


def test_a_path_stays_below_the_root() -> None:
    assert check_path("./clusters//quay/") == "clusters/quay"
    assert check_path("") == ""
    for path in ("/etc", "a/../..", "..", "a/.git"):
        with pytest.raises(ValueError, match="below the root"):
            check_path(path)
