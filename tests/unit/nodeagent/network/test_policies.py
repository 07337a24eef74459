"""Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/; who may reach whom is tried for
real in `tests/lab/test_policies.py`."""

from typing import Any

import pytest

from nodeagent.network.policies import policy_parts
from schemas.network import NetworkPolicyBody, PolicyBlock, PolicyPort, PolicyRule

RANGES = ("10.244.1.0/24", "fd00:1::/64")
KEY = "policies/shop/p"


def rules(direction: str, *given: PolicyRule, pods: tuple[str, ...] = ("10.244.1.2",)) -> tuple[str, ...]:
    fields: dict[str, Any] = {"ingress" if direction == "in" else "egress": given}
    parts = policy_parts({KEY: NetworkPolicyBody("shop", "p", pods, **fields)}, RANGES, {})
    return parts[KEY].chains[f"policy/shop/p/{direction}"]


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        pytest.param(PolicyRule(anyone=True), ("accept",), id="anyone"),
        pytest.param(PolicyRule(pods=("10.244.2.3",)), ("ip saddr { 10.244.2.3 } accept",), id="pods"),
        pytest.param(
            PolicyRule(pods=("10.244.2.3", "fd00:2::3")),
            ("ip saddr { 10.244.2.3 } accept", "ip6 saddr { fd00:2::3 } accept"),
            id="pods of both families",
        ),
        pytest.param(
            PolicyRule(blocks=(PolicyBlock("10.0.0.0/8", ("10.1.0.0/16",)),)),
            ("ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } accept",),
            id="addresses, less some",
        ),
        pytest.param(
            PolicyRule(anyone=True, ports=(PolicyPort("TCP", 80, 90), PolicyPort("UDP"))),
            ("meta l4proto tcp th dport 80-90 accept", "meta l4proto udp accept"),
            id="ports",
        ),
        pytest.param(
            PolicyRule(anyone=True, ports=(PolicyPort("TCP", 80, 80),), targets=("10.244.1.2",)),
            ("ip daddr { 10.244.1.2 } meta l4proto tcp th dport 80 accept",),
            id="a port that has another number in another pod",
        ),
        pytest.param(PolicyRule(), (), id="nobody"),
    ],
)
def test_what_may_come_in(rule: PolicyRule, lines: tuple[str, ...]) -> None:
    assert rules("in", rule) == lines


def test_what_may_go_out_is_told_by_where_it_goes() -> None:
    assert rules("out", PolicyRule(pods=("10.244.2.3",))) == ("ip daddr { 10.244.2.3 } accept",)


def test_a_pod_passes_what_any_of_its_policies_lets_pass_and_nothing_else() -> None:
    policies = {
        f"policies/shop/{name}": NetworkPolicyBody("shop", name, ("10.244.1.2", "10.244.9.9"), ingress=())
        for name in ("a", "b")
    }
    guards = policy_parts(policies, RANGES, {})["guards"]
    assert guards.chains == {"guard-in/10.244.1.2": ("jump policy/shop/a/in", "jump policy/shop/b/in", "drop")}
    assert guards.elements == {("guarded-in4", "10.244.1.2"): "goto guard-in/10.244.1.2"}


def test_a_policy_without_a_pod_here_is_another_nodes() -> None:
    parts = policy_parts({KEY: NetworkPolicyBody("shop", "p", ("10.244.9.9",), ingress=())}, RANGES, {})
    assert set(parts) == {"guards"}
    assert parts["guards"].elements == {}


def test_a_pod_is_guarded_before_the_reconciler_knows_its_address() -> None:
    policy = NetworkPolicyBody("shop", "p", unplaced=("uid-1",), egress=())
    parts = policy_parts({KEY: policy}, RANGES, {"uid-1": ("10.244.1.7",)})
    assert ("guarded-out4", "10.244.1.7") in parts["guards"].elements
