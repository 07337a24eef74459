"""What a person reads of a pod's scheduling."""

from typing import Any

from reconciler.schedulingtext import SHOWN, say_scheduling


def _fits(name: str, **scores: int) -> dict[str, Any]:
    return {"name": name, "feasible": True, "total": sum(scores.values()), "scores": scores}


def _refused(name: str, plugin: str, *reasons: str) -> dict[str, Any]:
    return {"name": name, "feasible": False, "filter": plugin, "reasons": list(reasons)}


def _answer(*nodes: dict[str, Any], chosen: str = "", node: str = "", message: str = "") -> dict[str, Any]:
    return {
        "namespace": "default",
        "pod": "web",
        "node": node,
        "chosen": chosen,
        "message": message,
        "nodes": list(nodes),
    }


def test_the_winner_the_scores_that_tell_nodes_apart_and_the_first_failing_filters() -> None:
    answer = _answer(
        _fits("n2", NodeResourcesFit=90, TaintToleration=300, PodTopologySpread=200),
        _fits("n1", NodeResourcesFit=70, TaintToleration=300, PodTopologySpread=200),
        _refused("n3", "TaintToleration", "node(s) had untolerated taint(s)"),
        _refused("n4", "NodeResourcesFit", "Too many pods", "Insufficient cpu"),
        _refused("n5", "TaintToleration", "node(s) had untolerated taint(s)"),
        chosen="n2",
        node="n2",
    )
    assert say_scheduling(answer).splitlines() == [
        "Pod       default/web, runs on n2",
        "Winner    n2 (highest total, then first by name)",
        "Nodes     2 can take it, 3 cannot",
        "",
        "NODE  TOTAL  NodeResourcesFit  EQUAL",
        "n2 *  590    90                500",
        "n1    570    70                500",
        "",
        "FIRST FAILING FILTER  NODES  REASON                            WHICH",
        "TaintToleration       2      node(s) had untolerated taint(s)  n3, n5",
        "NodeResourcesFit      1      Too many pods, Insufficient cpu   n4",
    ]


def test_where_no_node_can_take_it_the_schedulers_words_say_why() -> None:
    message = "0/1 nodes are available: 1 node(s) were unschedulable."
    said = say_scheduling(_answer(_refused("n1", "NodeUnschedulable", "node(s) were unschedulable"), message=message))
    assert "has no node" in said
    assert f"Winner    none: {message}" in said


def test_a_single_node_that_can_is_not_scored() -> None:
    said = say_scheduling(_answer(_fits("n1"), chosen="n1"))
    assert "n1 (the only node that can take it)" in said
    assert "TOTAL" not in said


def test_a_large_fleet_fits_a_screen() -> None:
    fit = [_fits(f"n{number:04}", NodeResourcesFit=5000 - number) for number in range(5000)]
    out = [_refused(f"m{number:04}", "NodeName", "node(s) didn't match the requested node name") for number in range(9)]
    said = say_scheduling(_answer(*fit, *out, chosen="n0000"))
    assert f"and {5000 - SHOWN} more; see --output json" in said
    assert "m0000, m0001, m0002, m0003, m0004 and 4 more" in said
    assert len(said.splitlines()) < 40
