"""What the agent has taken on: the digest, and the bodies that it names. This is all that the pods see of the link."""

from collections.abc import Mapping

import msgspec
from msgspec import field

from schemas.messages import Assignment, Config, Digest


class Accepted(msgspec.Struct, frozen=True):
    """`pods` by uid, `configs` by the key of `config_key`. Every pod here is to be run, and no other.

    `complete`: every body that the digest names is here at the version it names; until then the versions
    before it are kept, and the revision is not acknowledged.
    """

    digest: Digest
    pods: Mapping[str, Assignment] = field(default_factory=dict)
    configs: Mapping[str, Config] = field(default_factory=dict)
    complete: bool = True
