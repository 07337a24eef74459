"""What is wrong with a broker's address is said by field, before any connection is tried."""

from pathlib import Path

import pytest

from schemas.configuration import BadConfiguration, BrokerAddress


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("http://broker", "found 'http://broker'", id="another scheme"),
        pytest.param("broker:1883", "expected mqtt://HOST:1883", id="no scheme"),
        pytest.param("mqtt://", "expected mqtt://HOST:1883", id="no host"),
        pytest.param("mqtt://broker:99999", "broker.url: Port out of range", id="no such port"),
        pytest.param("mqtt://broker:http", "broker.url: Port could not be cast", id="a port that is no number"),
    ],
)
def test_a_url_that_is_none_is_refused_with_what_was_expected(url: str, said: str) -> None:
    with pytest.raises(BadConfiguration, match=r"broker\.url: ") as refused:
        BrokerAddress(url=url).check()
    assert said in str(refused.value)


def test_a_password_in_a_url_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(BadConfiguration) as refused:
        BrokerAddress(url="http://me:secret@broker").check()
    assert "secret" not in str(refused.value)


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = BrokerAddress(url="mqtt://broker", password_file=tmp_path / "missing")
    with pytest.raises(BadConfiguration, match=r"broker\.passwordFile: .*missing cannot be read: No such file"):
        missing.check()


def test_a_file_of_authorities_without_a_certificate_is_refused(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("not this one\n")
    with pytest.raises(BadConfiguration, match=r"broker\.caFile: .*ca\.pem holds no certificate: expected PEM"):
        BrokerAddress(url="mqtts://broker", ca_file=authority).check()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("mqtt://me:secret@broker", "mqtt://broker:1883", id="user name and password"),
        pytest.param("mqtts://broker", "mqtts://broker:8883", id="TLS"),
        pytest.param("mqtt://[::1]:7", "mqtt://[::1]:7", id="IPv6"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert BrokerAddress(url=url).shown() == shown
