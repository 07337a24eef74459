from pathlib import Path

import pytest

from nodeagent.ingress.haproxy import Certificate, Ports, files
from nodeagent.ingress.sites import ANY, Backend, Sites, sites
from schemas.network import (
    IngressRoute,
    IngressTarget,
    NetworkEndpoint,
    NetworkIngress,
    NetworkPort,
    NetworkService,
    NetworkSlice,
    SlicePort,
)

WEB, API = IngressTarget("web", 80), IngressTarget("api", port_name="http")
SERVICES = {
    "services/shop/web": NetworkService("shop", "web", cluster_ips=("10.96.0.1",), ports=(NetworkPort(80),)),
    "services/shop/api": NetworkService(
        "shop", "api", cluster_ips=("fd00:96::2",), ports=(NetworkPort(8080, name="http"),)
    ),
    "services/shop/headless": NetworkService(
        "shop",
        "headless",
        ports=(NetworkPort(80),),
        slices=(
            NetworkSlice(
                "IPv4",
                (SlicePort(8080),),
                (
                    NetworkEndpoint("10.0.0.2"),
                    NetworkEndpoint("10.0.0.1"),
                    NetworkEndpoint("10.0.0.3", ready=False),
                ),
            ),
        ),
    ),
}


def ingress(
    name: str, *routes: IngressRoute, created: float = 1, default: IngressTarget | None = None
) -> NetworkIngress:
    hosts = tuple(dict.fromkeys(route.host for route in routes))
    return NetworkIngress("shop", name, created, routes, default, hosts)


def chosen(found: Sites, host: str, path: str) -> str:
    """What a proxy that looks things up as the tables say would choose."""
    site = found.hosts.get(host) or found.hosts.get("*." + host.partition(".")[2]) or ANY
    exact = found.exact.get(site + path)
    prefixes = [key for key in found.prefix if (site + path + "/").startswith(key)]
    return exact or (found.prefix[max(prefixes, key=len)] if prefixes else found.default)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param("shop.example", "/", "shop:web:80", id="the root"),
        pytest.param("shop.example", "/anything", "shop:web:80", id="below the root"),
        pytest.param("shop.example", "/api", "shop:api:http", id="a prefix itself"),
        pytest.param("shop.example", "/api/v1", "shop:api:http", id="below a prefix"),
        pytest.param("shop.example", "/apiary", "shop:web:80", id="a prefix ends with an element"),
        pytest.param("shop.example", "/api/exact", "shop:headless:80", id="exact before a prefix"),
        pytest.param("shop.example", "/api/exact/", "shop:api:http", id="exact is exact"),
        pytest.param("a.wild.example", "/", "shop:api:http", id="a wildcard"),
        pytest.param("a.b.wild.example", "/", "", id="a wildcard is one label"),
        pytest.param("own.wild.example", "/x", "shop:web:80", id="an own name before the wildcard"),
        pytest.param("elsewhere.example", "/any", "shop:web:80", id="rules without a host"),
        pytest.param("elsewhere.example", "/", "", id="nothing"),
    ],
)
def test_the_most_specific_rule_decides(host: str, path: str, expected: str) -> None:
    found = sites(
        [
            ingress(
                "a",
                IngressRoute(WEB, "shop.example"),
                IngressRoute(API, "shop.example", "/api"),
                IngressRoute(IngressTarget("headless", 80), "shop.example", "/api/exact", exact=True),
                IngressRoute(API, "*.wild.example"),
                IngressRoute(WEB, "own.wild.example"),
                IngressRoute(WEB, "", "/any"),
            )
        ],
        SERVICES,
    )
    assert chosen(found, host, path) == expected


def test_of_two_that_want_the_same_the_older_has_it() -> None:
    older, newer = (
        ingress("z", IngressRoute(WEB, "shop.example")),
        ingress("a", IngressRoute(API, "shop.example"), created=2),
    )
    for order in ([older, newer], [newer, older]):
        assert chosen(sites(order, SERVICES), "shop.example", "/") == "shop:web:80"


def test_a_default_backend_stands_in_for_its_own_hosts_and_without_rules_for_all() -> None:
    own = ingress("own", IngressRoute(WEB, "shop.example", "/web"), default=API)
    everywhere = ingress("everywhere", default=WEB, created=2)
    found = sites([own, everywhere], SERVICES)
    assert chosen(found, "shop.example", "/web") == "shop:web:80"
    assert chosen(found, "shop.example", "/other") == "shop:api:http"
    assert chosen(found, "elsewhere.example", "/other") == "shop:web:80"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(WEB, Backend((("10.96.0.1", 80),)), id="by number"),
        pytest.param(API, Backend((("fd00:96::2", 8080),)), id="by name"),
        pytest.param(
            IngressTarget("headless", 80), Backend((("10.0.0.1", 8080), ("10.0.0.2", 8080))), id="each endpoint"
        ),
        pytest.param(IngressTarget("web", 81), Backend(), id="no such port"),
        pytest.param(IngressTarget("gone", 80), Backend(), id="no such service"),
    ],
)
def test_a_backend_is_the_address_of_its_service_or_its_endpoints(target: IngressTarget, expected: Backend) -> None:
    found = sites([ingress("a", IngressRoute(target, "shop.example"))], SERVICES)
    assert list(found.backends.values()) == [expected]


def test_the_configuration_names_certificates_and_servers() -> None:
    found = sites([ingress("a", IngressRoute(API, "shop.example"))], SERVICES)
    certificate = Certificate("shop.web-tls", "PEM", ("shop.example", "*.shop.example"))
    written = files(found, [certificate], Ports(80, 443), Path("/run/i"), "haproxy")
    assert "server s0 [fd00:96::2]:8080" in written["haproxy.cfg"]
    assert "bind :::443 v4v6 ssl crt-list /run/i/certificates.list" in written["haproxy.cfg"]
    assert written["certificates.list"] == "/run/i/shop.web-tls.pem shop.example *.shop.example\n"
    assert written["shop.web-tls.pem"] == "PEM"
    assert ":443" not in files(found, [], Ports(80, 443), Path("/run/i"), "haproxy")["haproxy.cfg"]
