"""Classes of placed pods are found by the labels that a selector demands, without a look at all others."""

from collections.abc import Iterable

from reconciler.scheduler.classes import Classes, Sought, sought_by
from reconciler.scheduler.podclass import PodClass, key_of
from schemas.core.pod import Pod
from schemas.meta import LabelSelector, LabelSelectorRequirement
from tests.unit.reconciler.scheduler.plugins.asking import REQUIRED, pod


def made(asked: Pod) -> PodClass:
    return PodClass(asked, key_of(asked), "", terminating=False)


def names(found: Iterable[PodClass]) -> list[str]:
    return sorted(one.pod.metadata.name for one in found)


def known(*pods: Pod) -> Classes:
    classes = Classes()
    for one in pods:
        classes.add(made(one))
    return classes


WEB, DB = pod("web", labels={"app": "web", "tier": "front"}), pod("db", labels={"app": "db"})
OTHER = pod("other", labels={"app": "web"}, namespace="other")


def test_those_that_bear_the_rarest_of_the_labels_may_be_meant() -> None:
    classes = known(WEB, DB, OTHER, pod("web2", labels={"app": "web", "tier": "back"}))
    assert names(classes.among((Sought("default", {"app": "web"}),))) == ["web", "web2"]
    assert names(classes.among((Sought("default", {"app": "web", "tier": "front"}),))) == ["web"]
    assert names(classes.among((Sought("default", {"app": "db"}), Sought("other", {"app": "web"})))) == ["db", "other"]
    assert names(classes.among((Sought("default", {"app": "nobody"}),))) == []


def test_where_no_label_is_demanded_all_may_be_meant() -> None:
    expression = LabelSelectorRequirement("app", "Exists")
    assert sought_by(("default",), LabelSelector(match_expressions=(expression,))) is None
    assert sought_by(("default",), None) == ()
    assert names(known(WEB, DB, OTHER).among(None)) == ["db", "other", "web"]


def test_those_with_terms_are_found_whatever_they_bear() -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
    shy = pod("shy", affinity={"podAntiAffinity": {REQUIRED: [term]}})
    classes = known(WEB, shy)
    assert names(classes.among((), with_terms=True)) == ["shy"]
    classes.drop(made(shy))
    assert names(classes.among((), with_terms=True)) == []


def test_what_is_dropped_is_found_no_more_and_leaves_nothing_behind() -> None:
    classes = known(WEB, DB)
    classes.drop(made(WEB))
    classes.drop(made(WEB))
    assert names(classes.among((Sought("default", {"app": "web"}),))) == []
    assert names(classes.among(None)) == ["db"]
    assert len(classes) == 1
