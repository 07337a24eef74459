"""Names and numbers of signals."""

import signal

import pytest

from schemas.signals import SUPPORTED, number


@pytest.mark.parametrize(
    ("name", "value"),
    [("SIGTERM", 15), ("SIGUSR1", 10), ("SIGWINCH", 28), ("SIGRTMIN", 34), ("SIGRTMIN+3", 37), ("SIGRTMAX-1", 63)],
)
def test_a_signal_has_the_number_that_linux_gives_it(name: str, value: int) -> None:
    assert number(name) == value


def test_every_signal_that_may_be_named_has_a_number() -> None:
    assert all(1 <= number(name) <= 64 for name in SUPPORTED)


def test_another_name_is_a_fault() -> None:
    with pytest.raises(ValueError, match="'SIGNOTHING' is not the name of a signal"):
        number("SIGNOTHING")


def test_the_numbers_are_those_of_this_system() -> None:
    named = {one.name: one.value for one in signal.Signals}
    assert {name: number(name) for name in SUPPORTED if name in named} == {
        name: value for name, value in named.items() if name in SUPPORTED
    }
