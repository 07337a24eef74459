"""The index of pods by claim says what looking at every pod would say, whatever has happened before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.store.cache import Cache
from reconciler.store.draft import Draft
from reconciler.store.view import View
from schemas.core.pod import Pod, PodSpec
from schemas.core.volume import EphemeralVolumeSource, PersistentVolumeClaimVolumeSource, Volume
from schemas.meta import ObjectMeta, Ref
from schemas.podclaims import claim_names

NAMES, NAMESPACES = st.sampled_from(("one", "two")), st.sampled_from(("here", "there"))
CLAIMS = ("data", "logs", "one-scratch", "two-scratch")
VOLUMES = st.lists(st.sampled_from((*CLAIMS, "scratch", "none")), max_size=3)
WRITES = st.lists(st.tuples(NAMESPACES, NAMES, st.none() | VOLUMES), max_size=20)


def volume(kind: str, number: int) -> Volume:
    """`scratch` is made for the pod alone, `none` is no claim."""
    if kind == "none":
        return Volume(name=f"v{number}")
    if kind == "scratch":
        return Volume(name="scratch", ephemeral=EphemeralVolumeSource())
    return Volume(name=f"v{number}", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=kind))


def written(where: str, name: str, kinds: list[str] | None) -> tuple[Ref, Pod | None]:
    if kinds is None:
        return Ref("Pod", where, name), None
    volumes = tuple(volume(kind, number) for number, kind in enumerate(kinds))
    metadata = ObjectMeta(name=name, namespace=where, uid=f"{where}-{name}")
    return Ref("Pod", where, name), Pod(metadata=metadata, spec=PodSpec((), volumes=volumes))


def assert_told(view: View) -> None:
    for namespace in ("here", "there"):
        for claim in CLAIMS:
            using = [pod for pod in view.list(Pod, namespace) if claim in claim_names(pod)]
            assert list(view.pods_claiming(namespace, claim)) == using


@settings(max_examples=80, deadline=None)
@given(WRITES, WRITES)
def test_pods_found_by_claim_are_those_that_looking_at_all_finds(
    writes: list[tuple[str, str, list[str] | None]], drafted: list[tuple[str, str, list[str] | None]]
) -> None:
    cache = Cache(1)
    for one in writes:
        cache.push(cache.revision + 1, [written(*one)], 1, 0.0)
    assert_told(cache)
    draft = Draft(cache)
    for one in drafted:
        draft.write(*written(*one))
    assert_told(draft)
