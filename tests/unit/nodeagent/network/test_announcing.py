from nodeagent.network.announcing import chosen, device_name, whereabouts
from nodeagent.network.neighbours import advertisement, arp, has
from nodeagent.network.routes import Link
from schemas.network import NetworkService

OURS, OTHERS = bytes.fromhex("024b00000001"), bytes.fromhex("024b00000002")


def service(name: str, announcer: str, *addresses: str) -> NetworkService:
    return NetworkService("shop", name, "LoadBalancer", load_balancer_ips=addresses, announcer=announcer)


def test_a_node_answers_for_the_services_that_it_was_chosen_for() -> None:
    services = {
        "services/shop/a": service("a", "n1", "192.0.2.7", "2001:db8::7"),
        "services/shop/b": service("b", "n2", "192.0.2.8"),
        "services/shop/c": service("c", "", "192.0.2.9"),
    }
    assert chosen(services, "n1") == {"192.0.2.7", "2001:db8::7"}
    assert chosen(services, "n3") == frozenset()


def test_an_address_is_told_on_the_link_whose_network_it_is_in_or_else_on_all() -> None:
    links = [Link("eth0", ("192.0.2.1/24",)), Link("wlan0", ("198.51.100.1/24", "2001:db8::1/64"))]
    assert whereabouts(["192.0.2.7", "2001:db8::7", "203.0.113.7"], links) == {
        "192.0.2.7": ["eth0"],
        "2001:db8::7": ["wlan0"],
        "203.0.113.7": ["eth0", "wlan0"],
    }


def test_an_announcement_says_to_all_that_the_address_is_here() -> None:
    frame = arp(OURS, "192.0.2.7", "192.0.2.7")
    assert frame == bytes.fromhex(
        "ffffffffffff024b000000010806"  # to all, from us, ARP
        "0001080006040001"  # Ethernet, IPv4, a request
        "024b00000001c0000207000000000000c0000207"
    )


def test_only_another_machine_that_says_that_it_has_the_address_has_it() -> None:
    assert has(arp(OTHERS, "192.0.2.7", "192.0.2.1"), "192.0.2.7", OURS)
    assert not has(arp(OURS, "192.0.2.7", "192.0.2.7"), "192.0.2.7", OURS)
    assert not has(arp(OTHERS, "192.0.2.8", "192.0.2.7"), "192.0.2.7", OURS)
    assert not has(arp(OTHERS, "0.0.0.0", "192.0.2.7"), "192.0.2.7", OURS)
    assert not has(b"\0" * 20, "192.0.2.7", OURS)


def test_an_advertisement_overrides_what_neighbours_remember() -> None:
    message = advertisement(OURS, "2001:db8::7")
    assert message == bytes.fromhex("880000002000000020010db80000000000000000000000070201024b00000001")


def test_the_device_is_named_like_the_bridge_and_no_longer_than_the_kernel_allows() -> None:
    assert device_name("wherry0") == "lwherry0"
    assert len(device_name("wherry-12345678")) == 15
