"""Which tokens of its ServiceAccount a pod asks for, and by what name they travel to its node.

A pod has one body of tokens on the link, named by its uid; in it each token lies under what was asked for. The
volumes that show them are projected ones (https://kubernetes.io/docs/concepts/storage/projected-volumes/).
"""

from collections.abc import Iterator, Mapping

import msgspec

from schemas.core.pod import Pod
from schemas.core.volume import ServiceAccountTokenProjection, Volume
from schemas.messages import Config, config_key

DEFAULT_SECONDS = 3600


class Asked(msgspec.Struct, frozen=True, order=True):
    """One token: for whom it is (empty: the API), and how long it lasts."""

    audience: str
    seconds: int

    @property
    def key(self) -> str:
        """Where it lies in the body."""
        return f"{self.seconds}:{self.audience}"


def asked_by(projection: ServiceAccountTokenProjection) -> Asked:
    return Asked(projection.audience, projection.expiration_seconds or DEFAULT_SECONDS)


def projections(volume: Volume) -> Iterator[ServiceAccountTokenProjection]:
    """The tokens that a volume shows."""
    for source in volume.projected.sources if volume.projected else ():
        if source.service_account_token:
            yield source.service_account_token


def asked(pod: Pod) -> tuple[Asked, ...]:
    """All that the volumes of the pod show, each once."""
    return tuple(sorted({asked_by(one) for volume in pod.spec.volumes for one in projections(volume)}))


def key_of(pod: Pod) -> str:
    """The key of the body on the link."""
    return config_key("Token", pod.metadata.namespace, pod.metadata.uid)


def are_there(pod: Pod, configs: Mapping[str, Config]) -> bool:
    """Whether all that the pod asks for is in these bodies."""
    body = configs.get(key_of(pod))
    return all(body is not None and one.key in body.data for one in asked(pod))
