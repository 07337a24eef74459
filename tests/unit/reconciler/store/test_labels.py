"""The indexes by label say what looking at every object would say, whatever has happened before."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from reconciler.store.cache import Cache
from reconciler.store.draft import Draft
from reconciler.store.labels import may_select
from reconciler.store.view import View
from schemas.core.pod import Pod, PodSpec
from schemas.core.service import Service, ServiceSpec
from schemas.meta import LabelSelector, Object, ObjectMeta, OwnerReference, Ref
from schemas.policy import PodDisruptionBudget, PodDisruptionBudgetSpec

LABELS = st.dictionaries(st.sampled_from(("app", "tier", "zone")), st.sampled_from(("a", "b")), max_size=3)
NAMES = st.sampled_from(("one", "two", "three"))
NAMESPACES = st.sampled_from(("here", "there"))
KINDS = ("Pod", "Orphan", "Service", "PodDisruptionBudget")


def made(kind: str, namespace: str, name: str, labels: dict[str, str]) -> Object:
    metadata = ObjectMeta(name=name, namespace=namespace, uid=f"{kind}-{namespace}-{name}", labels=labels)
    if kind == "Service":
        return Service(metadata=metadata, spec=ServiceSpec(selector=labels))
    if kind == "PodDisruptionBudget":
        selector = LabelSelector(match_labels=labels) if labels else None
        return PodDisruptionBudget(metadata=metadata, spec=PodDisruptionBudgetSpec(selector=selector))
    owner = OwnerReference(api_version="apps/v1", kind="ReplicaSet", name="set", uid="set")
    owners = () if kind == "Orphan" else (owner,)
    return Pod(metadata=structs.replace(metadata, owner_references=owners), spec=PodSpec(()))


WRITES = st.lists(st.tuples(st.sampled_from(KINDS), NAMESPACES, NAMES, st.none() | LABELS), max_size=40)


def assert_told(view: View, namespace: str, labels: dict[str, str]) -> None:
    pods = [one for one in view.list(Pod, namespace) if labels.items() <= one.metadata.labels.items()]
    assert list(view.pods_with(namespace, labels)) == pods
    assert list(view.orphans(namespace, labels)) == [one for one in pods if not one.metadata.owner_references]
    services = [one for one in view.list(Service, namespace) if may_select(one, labels)]
    assert list(view.selecting(Service, namespace, labels)) == services
    budgets = [one for one in view.list(PodDisruptionBudget, namespace) if may_select(one, labels)]
    assert list(view.selecting(PodDisruptionBudget, namespace, labels)) == budgets


@settings(max_examples=80, deadline=None)
@given(writes=WRITES, drafted=WRITES, namespace=NAMESPACES, labels=LABELS)
def test_what_is_found_by_labels_is_what_looking_at_all_finds(
    writes: list[tuple[str, str, str, dict[str, str] | None]],
    drafted: list[tuple[str, str, str, dict[str, str] | None]],
    namespace: str,
    labels: dict[str, str],
) -> None:
    cache = Cache(1)
    for kind, where, name, given_labels in writes:
        ref = Ref("Pod" if kind == "Orphan" else kind, where, name)
        object_ = None if given_labels is None else made(kind, where, name, given_labels)
        cache.push(cache.revision + 1, [(ref, object_)], 1, 0.0)
    assert_told(cache, namespace, labels)
    draft = Draft(cache)
    for kind, where, name, given_labels in drafted:
        ref = Ref("Pod" if kind == "Orphan" else kind, where, name)
        draft.write(ref, None if given_labels is None else made(kind, where, name, given_labels))
    assert_told(draft, namespace, labels)
