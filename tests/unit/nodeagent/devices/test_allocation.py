"""Which device goes to which container."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.devices.allocation import NOTHING, Allocated, allocate, amounts, decoded, encoded
from nodeagent.devices.declared import DeviceMount, DeviceResource, faults
from nodeagent.devices.handing import handed
from nodeagent.pods.actions import Failure
from nodeagent.runtime.interface import Device
from schemas.core.pod import Pod
from tests.unit.nodeagent.pods.builders import pod

GPIO = DeviceResource(resource="wherry.dev/gpio", paths=("/dev/gpiochip*",))
SHARED = DeviceResource(resource="wherry.dev/gpu", paths=("/dev/dri/renderD*",), shares=3)
CHIPS = ("/dev/gpiochip0", "/dev/gpiochip1")
PRESENT = {GPIO.resource: CHIPS, SHARED.resource: ("/dev/dri/renderD128",)}


def wanting(*counts: int, resource: str = GPIO.resource, starting: tuple[int, ...] = ()) -> Pod:
    def container(name: str, count: int) -> dict[str, object]:
        return {"name": name, "image": "x", "resources": {"limits": {resource: count} if count else {}}}

    return pod(
        containers=[container(f"main{number}", count) for number, count in enumerate(counts)],
        initContainers=[container(f"init{number}", count) for number, count in enumerate(starting)],
    )


def given_to(pod_: Pod, *others: Allocated) -> Allocated | Failure:
    return allocate(pod_, [GPIO, SHARED], PRESENT, others)


def test_each_container_is_given_devices_of_its_own() -> None:
    found = given_to(wanting(1, 0, 1))
    assert isinstance(found, Allocated)
    assert found.devices == {"main0": {GPIO.resource: (CHIPS[0],)}, "main2": {GPIO.resource: (CHIPS[1],)}}


def test_what_an_init_container_had_goes_on_to_those_after_it() -> None:
    found = given_to(wanting(2, starting=(1, 2)))
    assert isinstance(found, Allocated)
    assert set(found.devices["main0"][GPIO.resource]) == set(found.devices["init1"][GPIO.resource]) == set(CHIPS)
    assert isinstance(given_to(wanting(1), found), Failure)  # which holds both, and not more


@pytest.mark.parametrize(
    ("wanted", "present", "message"),
    [
        pytest.param(
            3,
            PRESENT,
            "Allocate failed due to requested number of devices unavailable for wherry.dev/gpio. "
            "Requested: 3, Available: 2, which is unexpected",
            id="too few",
        ),
        pytest.param(
            1,
            {},
            "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices wherry.dev/gpio, "
            "which is unexpected",
            id="none",
        ),
    ],
)
def test_a_pod_that_gets_too_few_cannot_run(wanted: int, present: dict[str, tuple[str, ...]], message: str) -> None:
    assert allocate(wanting(wanted), [GPIO], present, []) == Failure("UnexpectedAdmissionError", message)


def test_a_resource_that_is_not_declared_here_is_nobodys_affair() -> None:
    assert given_to(wanting(1, resource="example.com/dongle")) == NOTHING


def test_a_shared_device_goes_to_as_many_as_it_may() -> None:
    held: list[Allocated] = []
    for _ in range(3):
        found = given_to(wanting(1, resource=SHARED.resource), *held)
        assert isinstance(found, Allocated)
        held.append(found)
    assert isinstance(given_to(wanting(1, resource=SHARED.resource), *held), Failure)
    assert amounts([GPIO, SHARED], PRESENT) == {"wherry.dev/gpio": 2, "wherry.dev/gpu": 3}
    assert amounts([GPIO], {}) == {"wherry.dev/gpio": 0}


@settings(max_examples=60, deadline=None)
@given(
    paths=st.integers(0, 4),
    shares=st.integers(1, 3),
    wishes=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), max_size=5),
)
def test_no_device_is_ever_given_to_more_than_may_have_it(paths: int, shares: int, wishes: list[list[int]]) -> None:
    resource = DeviceResource(resource="a.b/c", paths=("/dev/x*",), shares=shares)
    files = tuple(f"/dev/x{number}" for number in range(paths))
    held: list[Allocated] = []
    for wish in wishes:
        found = allocate(wanting(*wish, resource="a.b/c"), [resource], {"a.b/c": files}, held)
        if isinstance(found, Failure):
            taken = sum(len(of["a.b/c"]) for one in held for of in one.devices.values())
            assert taken + sum(wish) > paths * shares
            continue
        assert [len(found.devices.get(f"main{n}", {}).get("a.b/c", ())) for n in range(len(wish))] == wish
        held.append(found)
    every = [path for one in held for of in one.devices.values() for path in of["a.b/c"]]
    assert all(every.count(path) <= shares for path in files)


def test_what_was_given_is_read_again_from_the_sandbox() -> None:
    one = Allocated({"main": {"a.b/c": ("/dev/x",)}}, {"a.b/c": ("/dev/x",)}, 131072)
    assert decoded(encoded(one)) == one
    assert decoded("{") == NOTHING


def test_a_container_gets_all_that_belongs_to_its_device() -> None:
    resource = DeviceResource(
        resource="wherry.dev/serial",
        paths=("/dev/ttyUSB*",),
        permissions="rwm",
        env={"PORTS": "$(DEVICES)", "BAUD": "9600"},
        mounts=(DeviceMount(host_path="/opt/fw", container_path="/fw"),),
        groups=(20,),
    )
    given = {"wherry.dev/serial": ("/dev/ttyUSB0", "/dev/ttyUSB1")}
    found = handed(given, [resource, GPIO], {"wherry.dev/serial": ("/dev/ttyUSB0", "/dev/lock")})
    assert found.devices == tuple(
        Device(f"/dev/{name}", f"/dev/{name}", "rwm") for name in ("ttyUSB0", "ttyUSB1", "lock")
    )
    assert found.environment == {"PORTS": "/dev/ttyUSB0,/dev/ttyUSB1", "BAUD": "9600"}
    assert [(str(one.host_path), one.container_path, one.read_only) for one in found.mounts] == [
        ("/opt/fw", "/fw", True)
    ]
    assert found.groups == (20,)


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        pytest.param({"resource": "gpio"}, "devices[0].resource: 'gpio' is no extended", id="no domain"),
        pytest.param({"resource": "kubernetes.io/gpio"}, "devices[0].resource: 'kubernetes.io/gpio'", id="not ours"),
        pytest.param({"paths": ()}, "devices[0].paths: expected at least one", id="no path"),
        pytest.param({"paths": ("dev/x",)}, "devices[0].paths: 'dev/x' is no absolute path", id="relative"),
        pytest.param({"also": ("/dev/../etc",)}, "devices[0].also: '/dev/../etc'", id="dots"),
        pytest.param({"permissions": "rx"}, "devices[0].permissions: 'rx'", id="permissions"),
        pytest.param({"shares": 0}, "devices[0].shares: expected a number from 1", id="shares"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_field(declared: dict[str, object], fault: str) -> None:
    fields = {"resource": "a.b/c", "paths": ("/dev/x",), **declared}
    (found,) = faults([DeviceResource(**fields)])  # type: ignore[arg-type]
    assert found.startswith(fault)


def test_a_resource_is_declared_once() -> None:
    assert [fault.partition(":")[0] for fault in faults([GPIO, GPIO])] == ["devices[1].resource"]
    assert not list(faults([GPIO, SHARED]))
