import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.store.keys import key_of, ref_of_key
from schemas.kinds import KINDS
from schemas.meta import Ref

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("ref", "key"),
    [
        pytest.param(Ref("Pod", "shop", "web-0"), "core/pods/shop/web-0", id="core group"),
        pytest.param(Ref("Deployment", "shop", "web"), "apps/deployments/shop/web", id="named group"),
        pytest.param(Ref("Node", "", "pi-1.local"), "core/nodes/_/pi-1.local", id="cluster-scoped"),
    ],
)
def test_a_key_says_group_plural_namespace_and_name(ref: Ref, key: str) -> None:
    assert key_of(ref) == key
    assert ref_of_key(key) == ref


@given(kind=st.sampled_from(KINDS), namespace=NAMES, name=NAMES)
def test_every_reference_survives_the_way_to_its_key_and_back(kind: object, namespace: str, name: str) -> None:
    ref = Ref(kind.name, namespace if kind.namespaced else "", name)  # type: ignore[attr-defined]
    assert ref_of_key(key_of(ref)) == ref


def test_a_kind_that_is_not_served_has_no_key() -> None:
    with pytest.raises(ValueError, match="'Gadget' is not served"):
        key_of(Ref("Gadget", "shop", "x"))


@pytest.mark.parametrize("key", ["", "core", "core/pods/shop", "core/pods/shop/", "core/pods//x", "core/gadgets/a/b"])
def test_what_is_not_the_key_of_an_object_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not the key of an object"):
        ref_of_key(key)
