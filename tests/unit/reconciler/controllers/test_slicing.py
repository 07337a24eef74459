"""At most 100 endpoints in a slice, and as few slices written as can be.

The rules: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#distribution-of-endpointslices
"""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.controllers.slicing import MOST, Ports, Slot, arrange
from schemas.core.reference import ObjectReference
from schemas.discovery import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from schemas.meta import ObjectMeta

HTTP: Ports = (EndpointPort(name="http", port=8080, protocol="TCP"),)
DNS: Ports = (EndpointPort(name="dns", port=53, protocol="UDP"),)


def endpoint(number: int, *, ready: bool = True) -> Endpoint:
    return Endpoint(
        addresses=(f"10.0.{number // 256}.{number % 256}",),
        conditions=EndpointConditions(ready, ready, False),
        target_ref=ObjectReference(kind="Pod", namespace="default", name=f"p{number}"),
    )


def endpoints(start: int, end: int) -> list[Endpoint]:
    return [endpoint(number) for number in range(start, end)]


def a_slice(name: str, held: Sequence[Endpoint], ports: Ports = HTTP) -> EndpointSlice:
    return EndpointSlice(metadata=ObjectMeta(name=name), address_type="IPv4", endpoints=tuple(held), ports=ports)


def told(slots: Sequence[Slot]) -> dict[str, int]:
    """Endpoints in each slice; new ones are named for their place."""
    return {
        slot.slice.metadata.name if slot.slice is not None else f"new{index}": len(slot.endpoints)
        for index, slot in enumerate(slots)
    }


def written(slots: Sequence[Slot]) -> set[str]:
    return {
        slot.slice.metadata.name
        for slot in slots
        if slot.slice is not None and (tuple(slot.endpoints), slot.ports) != (slot.slice.endpoints, slot.slice.ports)
    }


@pytest.mark.parametrize(
    ("existing", "wanted", "expected"),
    [
        pytest.param([], endpoints(0, 0), {"new0": 0}, id="nothing: an empty slice says so"),
        pytest.param([], endpoints(0, 3), {"new0": 3}, id="a first slice"),
        pytest.param([], endpoints(0, 250), {"new0": 100, "new1": 100, "new2": 50}, id="as many as are needed"),
        pytest.param(
            [a_slice("a", endpoints(0, 95)), a_slice("b", endpoints(100, 150))],
            endpoints(0, 95) + endpoints(100, 160),
            {"a": 95, "b": 60},
            id="ten more: the fullest slice that has room for them",
        ),
        pytest.param(
            [a_slice("a", endpoints(0, 10)), a_slice("b", endpoints(10, 20))],
            endpoints(0, 10) + endpoints(11, 20) + endpoints(30, 32),
            {"a": 10, "b": 11},
            id="to the slice that is written anyway",
        ),
        pytest.param([a_slice("a", endpoints(0, 2))], endpoints(5, 6), {"a": 1}, id="a slice is used again"),
        pytest.param([a_slice("a", endpoints(0, 2), DNS)], endpoints(0, 2), {"a": 2}, id="also with other ports"),
        pytest.param([a_slice("a", endpoints(0, 2))], endpoints(0, 0), {"a": 0}, id="the last one is emptied"),
    ],
)
def test_where_endpoints_stand(existing: list[EndpointSlice], wanted: list[Endpoint], expected: dict[str, int]) -> None:
    assert told(arrange(existing, {HTTP: wanted} if wanted else {})) == expected


def test_an_endpoint_that_changes_stays_in_its_slice() -> None:
    existing = [a_slice("a", endpoints(0, 2)), a_slice("b", endpoints(2, 4))]
    slots = arrange(existing, {HTTP: [endpoint(0), endpoint(1), endpoint(2, ready=False), endpoint(3)]})
    assert told(slots) == {"a": 2, "b": 2}
    assert written(slots) == {"b"}


def test_pods_that_listen_elsewhere_stand_in_slices_of_their_own() -> None:
    slots = arrange([], {HTTP: endpoints(0, 2), DNS: endpoints(2, 3)})
    assert [(slot.ports, len(slot.endpoints)) for slot in slots] == [(HTTP, 2), (DNS, 1)]


numbers = st.sets(st.integers(0, 400), max_size=300)


@settings(max_examples=40, deadline=None)
@given(before=numbers, after=numbers)
def test_any_change_ends_with_each_endpoint_once_and_a_second_look_writes_nothing(
    before: set[int], after: set[int]
) -> None:
    def slices(slots: Sequence[Slot]) -> list[EndpointSlice]:
        return [
            a_slice(slot.slice.metadata.name if slot.slice else f"s{index}-{slot.ports}", slot.endpoints, slot.ports)
            for index, slot in enumerate(slots)
        ]

    first = slices(arrange([], {HTTP: [endpoint(one) for one in sorted(before)]} if before else {}))
    wanted = {HTTP: [endpoint(one) for one in sorted(after)]} if after else {}
    second = arrange(first, wanted)
    held = [each.addresses for slot in second for each in slot.endpoints]
    assert sorted(held) == sorted(endpoint(one).addresses for one in after)
    assert all(len(slot.endpoints) <= MOST for slot in second)
    third = arrange(slices(second), wanted)
    assert not written(third)
    assert all(slot.slice is not None for slot in third)
