import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.compose.syntax import (
    Port,
    ShortMount,
    millicores,
    pair,
    quantity,
    read_mount,
    read_port,
    seconds,
    size,
    words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("80", [Port(80)], id="container alone"),
        pytest.param("8080:80", [Port(80, published=8080)], id="published"),
        pytest.param("53:53/udp", [Port(53, "udp", 53)], id="protocol"),
        pytest.param("127.0.0.1:8080:80", [Port(80, "tcp", 8080, "127.0.0.1")], id="address"),
        pytest.param("[::1]:8080:80", [Port(80, "tcp", 8080, "::1")], id="IPv6 address"),
        pytest.param("127.0.0.1::80", [Port(80, "tcp", None, "127.0.0.1")], id="address without a port"),
        pytest.param("3000-3002", [Port(3000), Port(3001), Port(3002)], id="range"),
        pytest.param("9090-9091:80-81", [Port(80, published=9090), Port(81, published=9091)], id="ranges"),
        pytest.param("9090-9099:80", [Port(80, published=9090)], id="the first free of a range"),
        pytest.param("0:80", [Port(80)], id="any port of the host"),
    ],
)
def test_a_short_port_is_read(text: str, expected: list[Port]) -> None:
    assert list(read_port(text)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a:80", "expected [[IP:]HOST:]CONTAINER", id="a word"),
        pytest.param("", "expected [[IP:]HOST:]CONTAINER", id="nothing"),
        pytest.param("127.0.0.1:80", "expected [[IP:]HOST:]CONTAINER", id="address in the place of a port"),
        pytest.param("80/http", "protocol tcp, udp or sctp", id="protocol"),
        pytest.param("999.0.0.1:1:1", "IP address", id="address"),
        pytest.param("70000:80", "from 1 to 65535", id="too high"),
        pytest.param("0", "from 1 to 65535", id="zero in the container"),
        pytest.param("90-80", "lower first", id="backwards"),
        pytest.param("1-2:1-3", "differ in length", id="lengths"),
        pytest.param("1-60000", "more than the 500", id="too many"),
        pytest.param("1-2-3:80", "port or a range", id="two dashes"),
    ],
)
def test_what_is_no_port_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[").replace("]", r"\]")):
        read_port(text)


@settings(max_examples=100)
@given(st.text("0123456789.:-[]/tcpud", max_size=20))
def test_any_text_is_ports_or_a_fault(text: str) -> None:
    try:
        found = read_port(text)
    except ValueError:
        return
    assert all(1 <= port.target <= 65535 for port in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/data", ShortMount("", "/data"), id="anonymous"),
        pytest.param("db:/data", ShortMount("db", "/data"), id="named"),
        pytest.param("./a:/b:ro", ShortMount("./a", "/b", read_only=True), id="read-only"),
        pytest.param("./a:/b:ro,z", ShortMount("./a", "/b", True, "", ("z",)), id="SELinux"),
        pytest.param("/a:/b:rw,rslave", ShortMount("/a", "/b", False, "rslave"), id="propagation"),
        pytest.param("./a:/b:cached", ShortMount("./a", "/b"), id="consistency"),
    ],
)
def test_a_short_mount_is_read(text: str, expected: ShortMount) -> None:
    assert read_mount(text) == expected


@pytest.mark.parametrize("text", ["a:/b:readonly", "a:/b:ro:x", "a:", ":/b", r"C:\a:/b"])
def test_what_is_no_mount_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected \[SOURCE|before the colon"):
        read_mount(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30.0), ("1m30s", 90.0), ("1h", 3600.0), ("500ms", 0.5), ("1.5s", 1.5), ("0", 0.0), ("10us", 1e-5)],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "30", "1 m", "s", "1s2", "-1s", "1d"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1048576, "1Mi"), ("512m", "512Mi"), ("1.5G", "1536Mi"), ("2gb", "2Gi"), ("100k", "100Ki"), ("300b", "300"),
        ("64M", "64Mi"), ("1 GB", "1Gi"), ("5GiB", "5Gi"), ("0", "0"),
    ],
)  # fmt: skip
def test_sizes_are_powers_of_1024(value: str | int, expected: str) -> None:
    assert quantity(size(value)) == expected


@pytest.mark.parametrize("value", ["", "x", "-1m", "1q", True])
def test_what_is_no_size_is_told(value: str | bool) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        size(value)


@pytest.mark.parametrize(
    ("value", "expected"), [("0.5", "500m"), (2, "2"), ("1.25", "1250m"), (0.001, "1m"), ("0", "0")]
)
def test_cpus(value: str | float, expected: str) -> None:
    assert millicores(value) == expected


@pytest.mark.parametrize("value", ["a", "-1", True, "nan", "inf"])
def test_what_is_no_number_of_cpus_is_told(value: str | bool) -> None:
    with pytest.raises(ValueError, match="expected a number of CPUs"):
        millicores(value)


def test_a_command_is_split_as_a_shell_would_without_one() -> None:
    assert words("""sh -c "echo 'a b' && exit" x\\ y""") == ["sh", "-c", "echo 'a b' && exit", "x y"]
    with pytest.raises(ValueError, match="no command"):
        words("echo 'a")


def test_pairs() -> None:
    assert pair("a=b=c", "=") == ("a", "b=c")
    assert pair("host:::1", "=:") == ("host", "::1")
    assert pair("a", "=") == ("a", None)
    with pytest.raises(ValueError, match="NAME=value"):
        pair("=x", "=")
