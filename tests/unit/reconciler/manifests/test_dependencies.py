"""Which declared objects wait for one another across files."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.manifests.dependencies import faults, rings
from reconciler.manifests.documents import SourceFault, load
from reconciler.manifests.ledger import Declared, Ledger
from reconciler.manifests.waiting import Waiting, first_to_go
from reconciler.store.changes import Delete
from schemas.core.config import ConfigMap
from schemas.dependson import DEPENDS_ON
from schemas.meta import ObjectMeta, Ref, ref_of
from tests.unit.reconciler.manifests.builders import config_ref


def waiting(name: str, *needs: str) -> str:
    names = ", ".join(f"ConfigMap/{one}" for one in needs)
    noted = f"\n  annotations:\n    {DEPENDS_ON}: {names}" if needs else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}{noted}\n"


def declared(**files: str) -> tuple[Declared, ...]:
    ledger = Ledger()
    ledger.take({f"{name}.yaml": load(f"{name}.yaml", text.encode()) for name, text in files.items()}, lambda _: "")
    return tuple(ledger.declared.values())


def said(found: tuple[SourceFault, ...]) -> list[str]:
    return [str(fault) for fault in found]


AT = f"metadata.annotations[{DEPENDS_ON}]"


def test_a_ring_over_several_files_is_told_at_each_of_its_annotations() -> None:
    found = declared(a=waiting("a", "b"), b=waiting("b", "c"), c=waiting("c", "a"), d=waiting("d", "a"))
    a, b, c = (f"ConfigMap default/{name}" for name in "abc")
    hint = "take out one of these dependencies"
    assert said(faults(found)) == [
        f"a.yaml:6: ConfigMap/a: {AT}: waits for itself: {a} -> {b} -> {c} -> {a}; {hint}",
        f"b.yaml:6: ConfigMap/b: {AT}: waits for itself: {b} -> {c} -> {a} -> {b}; {hint}",
        f"c.yaml:6: ConfigMap/c: {AT}: waits for itself: {c} -> {a} -> {b} -> {c}; {hint}",
    ]


def test_what_is_declared_nowhere_is_a_warning_without_a_cluster_and_an_error_with_one() -> None:
    found = declared(a=waiting("a", "b", "c"), c=waiting("c"))
    (warning,) = faults(found)
    (error,) = faults(found, lambda _: False)
    assert (warning.line, warning.severity, error.line, error.severity) == (6, "warning", 6, "error")
    assert "ConfigMap default/b is declared nowhere" in error.message
    assert faults(found, lambda ref: ref == config_ref("b")) == ()


NAMES = st.sampled_from("abcdef").map(config_ref)
NEEDS = st.dictionaries(NAMES, st.frozensets(NAMES, max_size=3), max_size=6)


def reaches_itself(start: Ref, needs: dict[Ref, frozenset[Ref]]) -> bool:
    seen: set[Ref] = set()
    left = [start]
    while left:
        for other in needs.get(left.pop(), frozenset()):
            if other == start:
                return True
            if other not in seen:
                seen.add(other)
                left.append(other)
    return False


@given(NEEDS)
@settings(max_examples=50, deadline=None)
def test_rings_hold_exactly_what_waits_for_itself(needs: dict[Ref, frozenset[Ref]]) -> None:
    found = rings(needs)
    assert {ref for ring in found for ref in ring} == {ref for ref in needs if reaches_itself(ref, needs)}
    for ring in found:
        assert all(after in needs[ref] for ref, after in zip(ring, (*ring[1:], ring[0]), strict=True))


@given(NEEDS)
@settings(max_examples=50, deadline=None)
def test_objects_come_behind_what_they_depend_on(needs: dict[Ref, frozenset[Ref]]) -> None:
    order = Waiting()
    for ref, others in needs.items():
        order.follow(ref, tuple(others))
    order.entangle()
    refs = sorted({*needs, *(other for others in needs.values() for other in others)})
    found = order.in_order(refs)
    assert sorted(found) == refs
    if not order.rings:
        place = {ref: number for number, ref in enumerate(found)}
        assert all(place[other] < place[ref] for ref, others in needs.items() for other in others)


@given(NEEDS, st.data())
@settings(max_examples=50, deadline=None)
def test_all_goes_in_the_end_and_nothing_before_what_depends_on_it(
    needs: dict[Ref, frozenset[Ref]], data: st.DataObject
) -> None:
    left = {
        ref: ConfigMap(
            metadata=ObjectMeta(
                name=ref.name,
                namespace="default",
                annotations={DEPENDS_ON: ",".join(f"ConfigMap/{other.name}" for other in others)},
            )
        )
        for ref, others in needs.items()
    }
    while left:
        now, awaited = first_to_go([Delete(ref) for ref in sorted(left)], list(left.values()))
        assert now
        assert awaited <= left.keys()
        waited_for = {
            other
            for ref in left
            for other in needs[ref] - {ref}
            if other in left and not reaches_itself(ref, {one: needs[one] & left.keys() for one in left})
        }
        assert not {delete.ref for delete in now} & waited_for
        for delete in data.draw(st.lists(st.sampled_from(now), min_size=1, unique_by=lambda one: one.ref)):
            del left[delete.ref]


def test_who_waits_is_remembered_until_it_is_met() -> None:
    order = Waiting()
    a, b = config_ref("a"), config_ref("b")
    order.follow(a, (b,))
    assert order.wait(a, lambda _: False)
    assert order.waiting_for(b) == [a]
    assert order.open == {a: (b,)}
    order.follow(a, ())
    assert not order.open
    assert not order.dependents


def test_an_object_of_a_ring_waits_even_where_all_is_well() -> None:
    order = Waiting()
    a, b = config_ref("a"), config_ref("b")
    order.follow(a, (b,))
    order.follow(b, (a,))
    assert order.entangle() == {a, b}
    assert order.wait(a, lambda _: True)
    order.follow(b, ())
    assert order.entangle() == {a, b}
    assert not order.wait(a, lambda _: True)


def test_live_objects_that_were_made_to_wait_for_one_another_go_together() -> None:
    pair = [
        ConfigMap(metadata=ObjectMeta(name=name, namespace="default", annotations={DEPENDS_ON: f"ConfigMap/{other}"}))
        for name, other in ("ab", "ba")
    ]
    deletes = tuple(Delete(ref_of(one)) for one in pair)
    assert first_to_go(deletes, pair) == (deletes, frozenset())
