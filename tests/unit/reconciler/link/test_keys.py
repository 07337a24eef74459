"""The way of a node's WireGuard key: from what its agent says to what every node is told."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from reconciler.link.inbound import node_changes
from reconciler.link.network import network_node
from reconciler.store.changes import Create, Update
from schemas.core.node import Node, NodeStatus
from schemas.messages import NodeReport
from tests.unit.reconciler.link.test_assignments import cluster

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REPORT = NodeReport(epoch=1, sent_at=NOW, status=NodeStatus())
KEY, OTHER = "b25lIGtleQ==", "YW5vdGhlciBrZXk="


def told(report: NodeReport, *before: Node) -> Node:
    """The Node as the report makes it."""
    nodes = [
        change.object
        for change in node_changes("n1", report, True, cluster(*before), NOW)
        if isinstance(change, Create | Update) and isinstance(change.object, Node)
    ]
    return nodes[0] if nodes else before[0]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param("", KEY, id="one that it had not before"),
        pytest.param(KEY, KEY, id="the same again"),
        pytest.param(KEY, OTHER, id="another one"),
        pytest.param(KEY, "", id="none any more"),
    ],
)
def test_every_node_is_told_the_key_that_the_agent_has_now(first: str, then: str) -> None:
    node = told(replace(REPORT, public_key=first))
    assert network_node(node).public_key == first
    assert network_node(told(replace(REPORT, public_key=then), node)).public_key == then
