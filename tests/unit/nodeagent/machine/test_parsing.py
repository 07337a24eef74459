"""Files by which Linux tells of itself."""

import pytest

from nodeagent.machine.parsing import architecture, parse_meminfo, parse_os_release


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("MemTotal:       1024 kB\nMemAvailable:    512 kB\n", (1048576, 524288), id="as Linux writes it"),
        pytest.param("MemTotal: 1024 kB\nHugePages_Total:   7\n", (1048576, None), id="a row without a unit"),
        pytest.param("MemTotal: many kB\n", (None, None), id="no number"),
        pytest.param("", (None, None), id="empty"),
    ],
)
def test_meminfo_is_read_in_bytes(text: str, found: tuple[int | None, int | None]) -> None:
    parsed = parse_meminfo(text)
    assert (parsed.get("MemTotal"), parsed.get("MemAvailable")) == found
    assert "HugePages_Total" not in parsed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n', "Debian GNU/Linux 12 (bookworm)"),
        pytest.param("PRETTY_NAME=Alpine\n", "Alpine"),
        pytest.param("NAME=x\n", ""),
        pytest.param("", ""),
    ],
    ids=["quoted", "bare", "without the name for people", "empty"],
)
def test_the_system_is_told_by_its_name_for_people(text: str, name: str) -> None:
    assert parse_os_release(text) == name


def test_a_machine_is_named_as_images_name_it() -> None:
    assert [architecture(name) for name in ("x86_64", "aarch64", "armv7l", "riscv64")] == [
        "amd64",
        "arm64",
        "arm",
        "riscv64",
    ]
