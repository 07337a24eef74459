"""Which credentials belong to which image."""

import base64

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.images.keyring import BadCredentials, keys_of_config, keys_of_secret, matching
from nodeagent.runtime.interface import Credentials


def config(*hosts: str) -> bytes:
    """Each host with a user of its name."""
    return msgspec.json.encode({"auths": {host: {"username": host, "password": "p"} for host in hosts}})


def users(image: str, *hosts: str) -> list[str]:
    return [key.credentials.username for key in matching(image, keys_of_config(config(*hosts)))]


@pytest.mark.parametrize(
    ("key", "image", "fits"),
    [
        pytest.param("ghcr.io", "ghcr.io/a/b:1", True, id="host"),
        pytest.param("https://ghcr.io", "ghcr.io/a/b:1", True, id="with a scheme"),
        pytest.param("ghcr.io", "quay.io/a/b:1", False, id="another host"),
        pytest.param("https://index.docker.io/v1/", "nginx", True, id="docker login's key of Docker Hub"),
        pytest.param("docker.io", "library/nginx", True, id="Docker Hub"),
        pytest.param("docker.io/team", "team/app", True, id="a user of Docker Hub"),
        pytest.param("docker.io/team", "nginx", False, id="another one"),
        pytest.param("host:5000", "host:5000/a", True, id="port"),
        pytest.param("host.lan", "host.lan:5000/a", False, id="a port that the key lacks"),
        pytest.param("host.lan:5000", "host.lan/a", False, id="a port that the image lacks"),
        pytest.param("*.lan", "registry.lan/a", True, id="pattern"),
        pytest.param("*.lan", "a.registry.lan/a", False, id="a pattern stands for one part"),
        pytest.param("r*.lan:5000", "registry.lan:5000/a", True, id="part of a part"),
        pytest.param("*.lan", "registry.lan:5000/a", False, id="patterns keep to the port"),
        pytest.param("ghcr.io/team/one", "ghcr.io/team/one/app:1", True, id="path"),
        pytest.param("ghcr.io/team/one", "ghcr.io/team/two:1", False, id="another path"),
        pytest.param("https://ghcr.io/v2/", "ghcr.io/a", True, id="the version of the interface is no path"),
    ],
)
def test_a_key_fits_an_image_by_host_port_and_beginning_of_the_path(key: str, image: str, fits: bool) -> None:
    assert bool(users(image, key)) == fits


def test_the_narrowest_is_tried_first_and_the_nodes_own_last() -> None:
    node = keys_of_config(config("ghcr.io/team/app"))
    secret = keys_of_secret("secret/shop/pull", {".dockerconfigjson": config("*.io", "ghcr.io", "ghcr.io/team")})
    found = matching("ghcr.io/team/app:1", [*node, *secret])
    assert [key.credentials.username for key in found] == ["ghcr.io/team", "ghcr.io", "*.io", "ghcr.io/team/app"]


def test_both_kinds_of_secrets_are_read() -> None:
    auth = base64.b64encode(b"me:se:same").decode()
    old = {".dockercfg": msgspec.json.encode({"ghcr.io": {"auth": auth, "email": "x"}})}
    new = {".dockerconfigjson": msgspec.json.encode({"auths": {"ghcr.io": {"auth": auth}}, "credsStore": "x"})}
    for data in (old, new):
        assert [key.credentials for key in keys_of_secret("s", data)] == [Credentials("me", "se:same")]
    assert keys_of_secret("s", {"other": b"x"}) == []


@pytest.mark.parametrize("content", [b"", b"broken", b"[]", b'{"auths": {"ghcr.io": 1}}'])
def test_what_is_not_what_it_should_be_is_refused_without_repeating_it(content: bytes) -> None:
    with pytest.raises(BadCredentials) as refused:
        keys_of_secret("s", {".dockerconfigjson": content})
    assert "broken" not in str(refused.value)


def test_an_entry_without_a_password_is_passed_over() -> None:
    assert keys_of_config(b'{"auths": {"a.io": {}, "b.io": {"auth": "%%%"}, "c.io": {"auth": "bm9jb2xvbg=="}}}') == []


@settings(max_examples=50)
@given(st.text(), st.binary())
def test_no_document_breaks_the_reading(host: str, content: bytes) -> None:
    keys = keys_of_config(msgspec.json.encode({"auths": {host: {"username": "u"}}}))
    matching("ghcr.io/a:1", keys)
    try:
        keys_of_secret("s", {".dockercfg": content})
    except BadCredentials:
        return
