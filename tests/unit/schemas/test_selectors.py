import re
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.core.config import ConfigMap, Secret
from schemas.core.event import Event, EventSource
from schemas.core.node import Node, NodeSpec
from schemas.core.pod import Pod, PodSpec
from schemas.core.podstatus import PodStatus
from schemas.core.reference import ObjectReference
from schemas.meta import LabelSelector, Object, ObjectMeta
from schemas.selectors import check_fields, matches, matches_fields, parse_field_selector, parse_label_selector

LABELS = {"app": "web", "tier": "front", "weight": "5", "example.com/empty": ""}


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        pytest.param("", True, id="nothing asked"),
        pytest.param("app=web", True, id="equal"),
        pytest.param("app==web", True, id="doubly equal"),
        pytest.param("app = web , tier = front", True, id="spaces"),
        pytest.param("app=db", False, id="not equal"),
        pytest.param("app!=db", True, id="unequal"),
        pytest.param("missing!=db", True, id="unequal where the label is missing"),
        pytest.param("missing=", False, id="empty is not missing"),
        pytest.param("example.com/empty=", True, id="empty"),
        pytest.param("app in (web,db)", True, id="in"),
        pytest.param("app in (db)", False, id="not in"),
        pytest.param("example.com/empty in (,a)", True, id="in a set with the empty value"),
        pytest.param("app notin (db, cache)", True, id="notin"),
        pytest.param("missing notin (db)", True, id="notin where the label is missing"),
        pytest.param("tier", True, id="exists"),
        pytest.param("!tier", False, id="does not exist"),
        pytest.param("!missing,app", True, id="two terms"),
        pytest.param("weight>4", True, id="greater"),
        pytest.param("weight<5", False, id="not less"),
        pytest.param("app>4", False, id="a word is not greater than a number"),
    ],
)
def test_label_selectors_pick_as_kubectl_does(text: str, picked: bool) -> None:
    assert matches(parse_label_selector(text), LABELS) is picked


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("tier in back", "unable to parse requirement: found 'back' expected: '('", id="no brackets"),
        pytest.param("a=b=c", "found '=', expected: ',' or 'end of string'", id="a second sign"),
        pytest.param("a,", "identifier after ','", id="a dangling comma"),
        pytest.param("=a", "expected: identifier", id="no key"),
        pytest.param("a in (b", "expected: ',', ')'", id="an open bracket"),
        pytest.param("a>b", "must be an integer", id="greater than a word"),
        pytest.param("a=!b", "expected: identifier", id="a sign for a value"),
        pytest.param("-a=b", "name part must consist", id="a bad key"),
        pytest.param("a=-b", "a valid label must be", id="a bad value"),
        pytest.param("a" * 20000, "no more than", id="too long"),
    ],
)
def test_bad_label_selectors_are_refused_in_kubernetes_words(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse_label_selector(text)


def test_no_selector_picks_nothing_and_an_empty_one_everything() -> None:
    assert not matches(None, LABELS)
    assert matches(LabelSelector(), {})


words = st.text("ab", max_size=2)


@given(st.dictionaries(words, words), words, words)
def test_a_negated_term_picks_exactly_what_the_term_does_not(labels: Mapping[str, str], key: str, value: str) -> None:
    key = key or "a"
    for plain, negated in ((f"{key}={value}", f"{key}!={value}"), (key, f"!{key}")):
        assert matches(parse_label_selector(plain), labels) != matches(parse_label_selector(negated), labels)


@given(st.text("ab=!,() <>in-", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_label_selector, parse_field_selector):
        with suppress(ValueError):
            parse(text)


POD = Pod(
    metadata=ObjectMeta(name="p", namespace="web"),
    spec=PodSpec(containers=(), node_name="n1", restart_policy="Always", host_network=True),
    status=PodStatus(phase="Running"),
)
EVENT = Event(involved_object=ObjectReference(kind="Pod", name="p"), reason="Pulled", source=EventSource("agent"))


@pytest.mark.parametrize(
    ("text", "object_", "picked"),
    [
        pytest.param("metadata.name=p,metadata.namespace!=default", POD, True, id="name and namespace"),
        pytest.param("spec.nodeName=n1,status.phase==Running", POD, True, id="node and phase"),
        pytest.param("status.phase!=Running", POD, False, id="unequal"),
        pytest.param("spec.hostNetwork=true", POD, True, id="a boolean"),
        pytest.param("status.podIP=", POD, True, id="an empty value"),
        pytest.param("involvedObject.name=p,reason=Pulled,source=agent", EVENT, True, id="an event"),
        pytest.param("type=Opaque", Secret(type="Opaque"), True, id="type of a secret"),
        pytest.param("spec.unschedulable=true", Node(spec=NodeSpec(unschedulable=True)), True, id="a cordoned node"),
        pytest.param(r"metadata.name=a\,b\=c", ConfigMap(metadata=ObjectMeta(name="a,b=c")), True, id="escaped signs"),
        pytest.param("", POD, True, id="nothing asked"),
    ],
)
def test_field_selectors_pick_by_the_fields_that_kubernetes_allows(text: str, object_: Object, picked: bool) -> None:
    assert matches_fields(parse_field_selector(text), object_) is picked


def test_an_unknown_field_is_refused_in_kubernetes_words() -> None:
    with pytest.raises(ValueError, match=re.escape("field label not supported: spec.image")):
        check_fields(parse_field_selector("spec.image=x"), "Pod")
    only_these = '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'
    with pytest.raises(ValueError, match=re.escape(only_these)):
        matches_fields(parse_field_selector("data.a=x"), ConfigMap())
    with pytest.raises(ValueError, match=r"invalid selector: 'nothing'; can't understand 'nothing'"):
        parse_field_selector("nothing")
