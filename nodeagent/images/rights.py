"""Who may use an image that is on the node: pure.

An image that was pulled with a Secret is for pods that have this Secret, or the same credentials in another one; a pod
that has neither has to show the registry what it has, by a pull of its own (KEP-2535,
https://kubernetes.io/docs/concepts/containers/images/#ensureimagepullcredentialverification). Images that were loaded
from archives, were there before, or were pulled without credentials or with the node's own are for every pod: the
policy that Kubernetes calls `NeverVerifyPreloadedImages`.

A pull is noted before it begins. Where an agent dies in between, the image counts as nobody's until it is pulled again.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec import field, structs

from nodeagent.images.keyring import NODE, Key
from nodeagent.images.references import full, repository_of

Grants = Mapping[str, str]
"""Hashes of credentials, by the Secret that they came from."""


class Rights(msgspec.Struct, frozen=True, omit_defaults=True):
    """`private`: by id of the image and by repository whose credentials have brought it; none: everybody may use it.

    `pending` are references whose pull with a Secret has begun.
    """

    private: Mapping[str, Mapping[str, Grants]] = field(default_factory=dict)
    pending: tuple[str, ...] = ()

    def allow(self, image_id: str, image: str, keys: Sequence[Key]) -> bool:
        """Whether a pod with these keys may use what is here."""
        known = self.private.get(image_id)
        if full(image) in self.pending and (known is None or repository_of(image) not in known):
            return False
        if known is None:
            return True
        grants = known.get(repository_of(image))
        if grants is None:
            return False
        return not grants or any(key.source in grants or key.hash() in grants.values() for key in keys)

    def begun(self, image: str) -> "Rights":
        """A pull with a Secret begins."""
        return structs.replace(self, pending=tuple(sorted({*self.pending, full(image)})))

    def pulled(self, image_id: str, image: str, key: Key | None) -> "Rights":
        """It has been pulled with these credentials."""
        pending = self.failed(image).pending
        known, repository = self.private.get(image_id), repository_of(image)
        if key is None or key.source == NODE:
            if known is None:
                return structs.replace(self, pending=pending)
            return structs.replace(self, private={**self.private, image_id: {**known, repository: {}}}, pending=pending)
        before = (known or {}).get(repository)
        if before is not None and not before:
            return structs.replace(self, pending=pending)  # everybody may use it already
        grants = {**(before or {}), key.source: key.hash()}
        return structs.replace(
            self, private={**self.private, image_id: {**(known or {}), repository: grants}}, pending=pending
        )

    def failed(self, image: str) -> "Rights":
        """The pull has brought nothing."""
        return structs.replace(self, pending=tuple(one for one in self.pending if one != full(image)))

    def opened(self, image_id: str) -> "Rights":
        """Somebody has put it on the node by hand."""
        return structs.replace(self, private={id_: one for id_, one in self.private.items() if id_ != image_id})

    def only(self, present: Collection[str]) -> "Rights":
        """Without images that are gone."""
        return structs.replace(self, private={id_: one for id_, one in self.private.items() if id_ in present})
