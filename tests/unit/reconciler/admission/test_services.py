"""The addresses and node ports of Services, over a cluster of a few."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.admission import AdmissionSettings, admission, amendment
from reconciler.admission.services import ranges
from reconciler.store.cache import Cache
from reconciler.store.changes import Refused, Unfit, UsedUp
from reconciler.store.draft import Draft
from schemas.core.service import Service
from schemas.defaults import defaulted
from schemas.leftovers import without_leftovers
from schemas.meta import ref_of
from tests.unit.reconciler.api.builders import object_of

_WEB = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
_USUAL = AdmissionSettings()
_DUAL = AdmissionSettings(service_cidr="10.96.0.0/16,fd00::/112")


def _service(name: str = "web", **spec: Any) -> Service:  # noqa: ANN401
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    found: Service = object_of({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": _WEB | spec})
    return found


def _view(*services: Service) -> Cache:
    cache = Cache()
    cache.load(services)
    return cache


def _made(service: Service, *there: Service, by: AdmissionSettings = _USUAL) -> Service:
    made = admission(by)(service, _view(*there))
    assert isinstance(made, Service)
    return made


def _changed(old: Service, *there: Service, by: AdmissionSettings = _USUAL, **spec: Any) -> Service:  # noqa: ANN401
    new = without_leftovers(defaulted(_service(old.metadata.name, **spec)), old)
    amended = amendment(by)(new, old, _view(old, *there))
    assert isinstance(amended, Service)
    return amended


def test_a_service_gets_an_address_of_the_upper_part_of_the_range_and_the_same_whenever_it_is_made() -> None:
    made = _made(_service())
    assert made.spec.cluster_ips == (made.spec.cluster_ip,)
    assert made.spec.cluster_ip.startswith("10.96.")
    assert int(made.spec.cluster_ip.split(".")[2]) >= 1
    assert (made.spec.ip_families, made.spec.ip_family_policy) == (("IPv4",), "SingleStack")
    assert _made(_service()) == made
    assert _made(_service("other")).spec.cluster_ip != made.spec.cluster_ip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]), max_size=13))
def test_no_two_services_have_one_address_or_port(types: list[str]) -> None:
    tight = AdmissionSettings(service_cidr="10.0.0.0/28", node_ports="30000-30040")
    admit, draft = admission(tight), Draft(Cache())
    for number, type_ in enumerate(types):
        balanced = {"externalTrafficPolicy": "Local"} if type_ == "LoadBalancer" else {}
        two = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
        made = admit(_service(f"s{number}", type=type_, ports=two, **balanced), draft)
        draft.write(ref_of(made), made)
    made_all = draft.list(Service)
    addresses = [one.spec.cluster_ip for one in made_all]
    ports = [port.node_port for one in made_all for port in one.spec.ports if port.node_port]
    ports += [one.spec.health_check_node_port for one in made_all if one.spec.health_check_node_port]
    assert len(set(addresses)) == len(addresses) == len(types)
    assert len(set(ports)) == len(ports) == sum({"NodePort": 2, "LoadBalancer": 3}.get(type_, 0) for type_ in types)


def test_what_is_used_up_is_said() -> None:
    tight = AdmissionSettings(service_cidr="10.0.0.0/29")
    there = [_made(_service(f"s{number}", clusterIP=f"10.0.0.{number}"), by=tight) for number in range(1, 7)]
    with pytest.raises(UsedUp, match="range is full"):
        _made(_service(), *there, by=tight)
    assert _made(_service(), *there[1:], by=tight).spec.cluster_ip == "10.0.0.1"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"clusterIP": "10.96.0.10"},
            'spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: '
            "provided IP is already allocated",
            id="another's address",
        ),
        pytest.param(
            {"clusterIP": "1.2.3.4"},
            'spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided IP (1.2.3.4) '
            "is not in the valid range. The range of valid IPs is 10.96.0.0/16",
            id="an address elsewhere",
        ),
        pytest.param(
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
            "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
            id="another's port",
        ),
        pytest.param(
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 99}]},
            "spec.ports[0].nodePort: Invalid value: 99: provided port is not in the valid range. "
            "The range of valid ports is 30000-32767",
            id="a port elsewhere",
        ),
        pytest.param(
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
            "this cluster is not configured for dual-stack services",
            id="two families where there is one",
        ),
        pytest.param(
            {"ipFamilies": ["IPv6"]},
            'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
            id="another family",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_in_the_words_of_kubernetes(spec: dict[str, Any], expected: str) -> None:
    there = _made(_service("a", type="NodePort", clusterIP="10.96.0.10", ports=[{"port": 80, "nodePort": 30080}]))
    with pytest.raises(Unfit) as refused:
        _made(_service(**spec), there)
    assert [str(fault) for fault in refused.value.faults] == [expected]
    assert isinstance(refused.value, Refused)


def test_a_headless_service_without_a_selector_may_lead_anywhere() -> None:
    spec = _made(_service(clusterIP="None", selector={})).spec
    assert (spec.cluster_ips, spec.ip_families, spec.ip_family_policy) == (
        ("None",),
        ("IPv4", "IPv6"),
        "RequireDualStack",
    )
    assert _made(_service(clusterIP="None")).spec.ip_families == ("IPv4",)


def test_an_external_name_gets_nothing() -> None:
    spec = _made(_service(type="ExternalName", externalName="example.com", selector={}, ports=[])).spec
    assert (spec.cluster_ip, spec.cluster_ips, spec.ip_families, spec.ip_family_policy) == ("", (), (), "")


def test_a_cluster_of_two_families_gives_two_addresses_where_they_are_asked_for() -> None:
    assert len(_made(_service(), by=_DUAL).spec.cluster_ips) == 1
    both = _made(_service(ipFamilyPolicy="PreferDualStack"), by=_DUAL)
    assert both.spec.ip_families == ("IPv4", "IPv6")
    assert both.spec.cluster_ips[1].startswith("fd00::")
    turned = _made(_service(ipFamilyPolicy="RequireDualStack", ipFamilies=["IPv6"]), by=_DUAL)
    assert turned.spec.ip_families == ("IPv6", "IPv4")
    assert turned.spec.cluster_ip == turned.spec.cluster_ips[0] == both.spec.cluster_ips[1]
    assert _made(_service(ipFamilyPolicy="PreferDualStack")).spec.ip_families == ("IPv4",)


def test_what_an_update_does_not_name_stays() -> None:
    old = _made(_service(type="NodePort"))
    assert _changed(old, type="NodePort") == old
    more = _changed(old, type="NodePort", ports=[{"name": "", "port": 80}, {"name": "b", "port": 81}])
    assert more.spec.ports[0].node_port == old.spec.ports[0].node_port
    assert more.spec.ports[1].node_port not in (0, old.spec.ports[0].node_port)


def test_a_change_of_the_type_gives_and_takes() -> None:
    old = _made(_service())
    open_ = _changed(old, type="NodePort")
    assert open_.spec.cluster_ip == old.spec.cluster_ip
    assert open_.spec.ports[0].node_port
    assert _changed(open_).spec.ports[0].node_port == 0
    away = _changed(old, type="ExternalName", externalName="example.com")
    assert (away.spec.cluster_ip, away.spec.cluster_ips, away.spec.ip_families) == ("", (), ())
    assert _changed(away).spec.cluster_ip == old.spec.cluster_ip
    checked = _changed(old, type="LoadBalancer", externalTrafficPolicy="Local")
    assert checked.spec.health_check_node_port
    assert _changed(checked).spec.health_check_node_port in (0, None)


def test_ports_of_one_number_share_a_node_port() -> None:
    ports = [{"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP"}, {"name": "x", "port": 54}]
    first, second, other = (port.node_port for port in _made(_service(type="NodePort", ports=ports)).spec.ports)
    assert first == second != other


def test_what_a_service_has_is_free_again_when_it_goes_or_lets_go() -> None:
    old = _made(_service(type="NodePort"))
    view = _view(old)
    assert view.holder(old.spec.cluster_ip) == ref_of(old)
    draft = Draft(view)
    draft.write(ref_of(old), _changed(old))
    assert draft.holder(str(old.spec.ports[0].node_port)) is None
    assert draft.holder(old.spec.cluster_ip) == ref_of(old)
    draft.write(ref_of(old), None)
    assert draft.holder(old.spec.cluster_ip) is None
    view.push(view.revision + 1, [(ref_of(old), None)], 1, 0.0)
    assert view.holder(old.spec.cluster_ip) is None


def test_what_was_out_of_the_range_when_the_range_changed_is_kept() -> None:
    old = _made(_service())
    assert _changed(replace(old), by=AdmissionSettings(service_cidr="10.0.0.0/16")) == old


@pytest.mark.parametrize("wrong", ["10.0.0.0/8,10.96.0.0/16", "10.0.0.0/30", "nowhere"])
def test_a_range_that_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"expected|does not appear"):
        ranges(wrong)
    with pytest.raises(ValueError, match="FIRST-LAST"):
        ranges(node_ports="32767-30000")
