"""Names of the cluster: https://github.com/kubernetes/dns/blob/master/docs/specification.md"""

import pytest

from nodeagent.network.dns.zone import MISSING, Answer, Record, Zone
from nodeagent.network.state import NetworkState
from schemas.network import NetworkEndpoint, NetworkPort, NetworkService, NetworkSlice, SlicePort

PORTS = (NetworkPort(80, "TCP", "http"), NetworkPort(53, "UDP", "dns"))
ENDPOINTS = (
    NetworkEndpoint("10.244.0.2", hostname="db-0"),
    NetworkEndpoint("10.244.0.3"),
    NetworkEndpoint("10.244.0.4", ready=False),
)
SLICE = NetworkSlice("IPv4", (SlicePort(8080, "TCP", "http"),), ENDPOINTS)
SIXTH = NetworkSlice("IPv6", (SlicePort(8080, "TCP", "http"),), (NetworkEndpoint("fd00:1::2", hostname="db-0"),))
TWINS = NetworkSlice(
    "IPv4",
    (SlicePort(8080), SlicePort(9090, "TCP", "admin"), SlicePort(53, "UDP", "dns")),
    (NetworkEndpoint("10.244.0.7", hostname="twin"), NetworkEndpoint("10.244.0.8", hostname="twin")),
)
WAITING = NetworkSlice("IPv4", (SlicePort(8080, "TCP", "http"),), (NetworkEndpoint("10.244.0.9", ready=False),))
SERVICES = (
    NetworkService("shop", "web", cluster_ips=("10.96.0.7", "fd00::7"), ports=PORTS, slices=(SLICE,)),
    NetworkService("shop", "db", ports=PORTS, slices=(SLICE,)),
    NetworkService("shop", "out", type="ExternalName", external_name="example.com."),
    NetworkService("shop", "both", slices=(SLICE, SIXTH)),
    NetworkService("shop", "twins", slices=(TWINS,)),
    NetworkService("shop", "waiting", slices=(WAITING,)),
    NetworkService("shop", "plain", cluster_ips=("10.96.0.8",), ports=(NetworkPort(80),)),
)
ZONE = Zone(NetworkState(services={f"services/{one.namespace}/{one.name}": one for one in SERVICES}), "cluster.local")
WEB, DB = "web.shop.svc.cluster.local", "db.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "type_", "values"),
    [
        pytest.param(WEB, "A", ["10.96.0.7"], id="2.3.1 the cluster address"),
        pytest.param(WEB, "AAAA", ["fd00::7"], id="2.3.1 of the other family"),
        pytest.param(f"_http._tcp.{WEB}", "SRV", [f"0 100 80 {WEB}"], id="2.3.2 a named port"),
        pytest.param("10-244-0-9.shop.pod.cluster.local", "A", ["10.244.0.9"], id="2.6 a pod by its address"),
        pytest.param(DB, "A", ["10.244.0.2", "10.244.0.3"], id="2.4.1 the ready endpoints of a headless one"),
        pytest.param(f"db-0.{DB}", "A", ["10.244.0.2"], id="2.4.1 an endpoint by its host name"),
        pytest.param(f"10-244-0-3.{DB}", "A", ["10.244.0.3"], id="2.4.1 or by its address where it has none"),
        pytest.param(
            f"_http._tcp.{DB}",
            "SRV",
            [f"0 50 8080 10-244-0-3.{DB}", f"0 50 8080 db-0.{DB}"],
            id="2.4.2 the ports of the endpoints",
        ),
        pytest.param("both.shop.svc.cluster.local", "AAAA", ["fd00:1::2"], id="2.4.1 endpoints of the other family"),
        pytest.param("db-0.both.shop.svc.cluster.local", "AAAA", ["fd00:1::2"], id="2.4.1 by host name, either family"),
        pytest.param(
            "twin.twins.shop.svc.cluster.local",
            "A",
            ["10.244.0.7", "10.244.0.8"],
            id="2.4.1 each address of a host name",
        ),
        pytest.param(
            "_dns._udp.twins.shop.svc.cluster.local",
            "SRV",
            ["0 100 53 twin.twins.shop.svc.cluster.local"],
            id="2.4.2 one target for a host name",
        ),
        pytest.param(f"_dns._udp.{WEB}", "SRV", [f"0 100 53 {WEB}"], id="2.3.2 a port of another protocol"),
        pytest.param("out.shop.svc.cluster.local", "CNAME", ["example.com"], id="2.5 asked for as what it is"),
        pytest.param("fd00--9.shop.pod.cluster.local", "AAAA", ["fd00::9"], id="2.6 a pod of the other family"),
        pytest.param("out.shop.svc.cluster.local", "A", ["example.com"], id="2.5 another name"),
        pytest.param("dns-version.cluster.local", "TXT", ["1.1.0"], id="2.2 the version"),
    ],
)
def test_a_name_has_its_records(name: str, type_: str, values: list[str]) -> None:
    assert [one.value for one in ZONE.answer(name, type_).records] == values


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("gone.shop.svc.cluster.local", "A"),
        (f"_gone._tcp.{WEB}", "SRV"),
        (f"db-1.{DB}", "A"),
        (f"db-0.{WEB}", "A"),
        (f"10-244-0-4.{DB}", "A"),
        ("1-2-3.shop.pod.cluster.local", "A"),
        ("nowhere.svc.cluster.local", "A"),
        ("other.cluster.local", "A"),
        ("waiting.shop.svc.cluster.local", "A"),
        ("10-244-0-9.waiting.shop.svc.cluster.local", "A"),
        ("_http._tcp.waiting.shop.svc.cluster.local", "SRV"),
        (f"_http._udp.{WEB}", "SRV"),
        ("_._tcp.plain.shop.svc.cluster.local", "SRV"),
        ("x.db-0.db.shop.svc.cluster.local", "A"),
    ],
)
def test_there_is_no_such_name(name: str, type_: str) -> None:
    assert ZONE.answer(name, type_) == MISSING


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        (WEB, "MX"),
        ("plain.shop.svc.cluster.local", "AAAA"),
        (DB, "AAAA"),
        (f"db-0.{DB}", "AAAA"),
        ("shop.svc.cluster.local", "A"),
        ("svc.cluster.local", "A"),
        ("cluster.local", "A"),
        (f"_tcp.{WEB}", "SRV"),
        (f"_http._tcp.{WEB}", "A"),
    ],
)
def test_there_is_the_name_and_nothing_of_the_type(name: str, type_: str) -> None:
    assert ZONE.answer(name, type_) == Answer()


def test_a_port_comes_with_the_addresses_of_its_targets() -> None:
    found = ZONE.answer(f"_http._tcp.{DB}", "SRV")
    assert Record(f"db-0.{DB}", "A", "10.244.0.2") in found.additional


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("10.96.0.7", (WEB,)),
        ("fd00::7", (WEB,)),
        ("10.244.0.2", ("db-0.both.shop.svc.cluster.local", f"db-0.{DB}")),
        ("10.244.0.4", ()),
        ("fd00:1::2", ("db-0.both.shop.svc.cluster.local",)),
        ("10.244.0.7", ("twin.twins.shop.svc.cluster.local",)),
        ("192.0.2.1", ()),
    ],
)
def test_an_address_has_its_name(address: str, names: tuple[str, ...]) -> None:
    assert ZONE.reverse(address) == names
