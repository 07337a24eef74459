"""The cluster as it will be: a view with changes laid over it that are planned but not yet committed.

A draft is a `View` itself, so drafts stack: one for each `apply` upon one for all that go to the store together.
"""

from collections.abc import Callable, Sequence
from typing import cast

from reconciler.store.cache import KIND_OF
from reconciler.store.claims import claims
from reconciler.store.labels import Labels, may_select
from reconciler.store.view import AnyObject, AnySelecting, View
from schemas.core.pod import Pod
from schemas.meta import Object, Ref, ref_of
from schemas.podclaims import claim_names


class Draft:
    """A view over `base` in which what was written (None: removed) hides what was there."""

    def __init__(self, base: View) -> None:
        self._base = base
        self.touched: dict[Ref, Object | None] = {}
        self._of_kind: dict[str, dict[Ref, Object | None]] = {}
        self._by_uid: dict[str, Object] = {}
        self._claimed: dict[str, Ref] = {}

    @property
    def revision(self) -> int:
        return self._base.revision

    def write(self, ref: Ref, object_: Object | None) -> None:
        """Lays an object, or its removal, over the base."""
        before = self.touched.get(ref)
        if before is not None:
            self._by_uid.pop(before.metadata.uid, None)
            for claim in claims(before):
                self._claimed.pop(claim, None)
        self.touched[ref] = object_
        self._of_kind.setdefault(ref.kind, {})[ref] = object_
        if object_ is not None:
            self._by_uid[object_.metadata.uid] = object_
            self._claimed.update(dict.fromkeys(claims(object_), ref))

    def find(self, ref: Ref) -> Object | None:
        return self.touched[ref] if ref in self.touched else self._base.find(ref)

    def get(self, type_: type[AnyObject], namespace: str, name: str) -> AnyObject | None:
        return cast("AnyObject | None", self.find(Ref(KIND_OF[type_], namespace, name)))

    def list(self, type_: type[AnyObject], namespace: str | None = None) -> Sequence[AnyObject]:
        def in_namespace(object_: AnyObject) -> bool:
            return namespace is None or object_.metadata.namespace == namespace

        return self._merged(type_, self._base.list(type_, namespace), in_namespace)

    def owned_by(self, type_: type[AnyObject], uid: str) -> Sequence[AnyObject]:
        def owned(object_: AnyObject) -> bool:
            owners = object_.metadata.owner_references
            return any(owner.uid == uid for owner in owners) if uid else not owners

        return self._merged(type_, self._base.owned_by(type_, uid), owned)

    def by_uid(self, uid: str) -> Object | None:
        found = self._by_uid.get(uid) or self._base.by_uid(uid)
        return found if found is None or self.find(ref_of(found)) is found else None

    def pods_on(self, node: str) -> Sequence[Pod]:
        return self._merged(Pod, self._base.pods_on(node), lambda pod: pod.spec.node_name == node)

    def holder(self, claim: str) -> Ref | None:
        if claim in self._claimed:
            return self._claimed[claim]
        held = self._base.holder(claim)
        return None if held in self.touched else held

    def pods_with(self, namespace: str, labels: Labels) -> Sequence[Pod]:
        def bears(pod: Pod) -> bool:
            return pod.metadata.namespace == namespace and labels.items() <= pod.metadata.labels.items()

        return self._merged(Pod, self._base.pods_with(namespace, labels), bears)

    def orphans(self, namespace: str, labels: Labels) -> Sequence[Pod]:
        return tuple(pod for pod in self.pods_with(namespace, labels) if not pod.metadata.owner_references)

    def pods_claiming(self, namespace: str, claim: str) -> Sequence[Pod]:
        def claims_it(pod: Pod) -> bool:
            return pod.metadata.namespace == namespace and claim in claim_names(pod)

        return self._merged(Pod, self._base.pods_claiming(namespace, claim), claims_it)

    def selecting(self, type_: type[AnySelecting], namespace: str, labels: Labels) -> Sequence[AnySelecting]:
        def asks(object_: AnySelecting) -> bool:
            return object_.metadata.namespace == namespace and may_select(object_, labels)

        return self._merged(type_, self._base.selecting(type_, namespace, labels), asks)

    def _merged(
        self, type_: type[AnyObject], base: Sequence[AnyObject], belongs: Callable[[AnyObject], bool]
    ) -> Sequence[AnyObject]:
        touched = cast("dict[Ref, AnyObject | None]", self._of_kind.get(KIND_OF[type_], {}))
        if not touched:
            return base
        found = {ref: object_ for object_ in base if (ref := ref_of(object_)) not in touched}
        found |= {ref: object_ for ref, object_ in touched.items() if object_ is not None and belongs(object_)}
        return tuple(found[ref] for ref in sorted(found))
