"""Which claim a volume of a pod is: the one that it names, or one that is made for this pod alone.

https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
"""

from collections.abc import Iterator

from schemas.core.pod import Pod
from schemas.core.volume import Volume


def claim_name(pod: Pod, volume: Volume) -> str:
    """The name of the claim, empty for a volume of another kind."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def claim_names(pod: Pod) -> Iterator[str]:
    """Of all its volumes that are claims."""
    return (name for volume in pod.spec.volumes if (name := claim_name(pod, volume)))
