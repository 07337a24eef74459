"""Pods of a StatefulSet: which name, ordinal, labels and volumes each of them has.

A pod's name is its identity. It is the key in the store, so there is never a second pod of an ordinal; and one that
is to end keeps its name until its node has confirmed that it is gone, so nothing runs twice either
(https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/).
"""

import re

from msgspec import structs

from reconciler.controllers import podstate
from reconciler.controllers.history import POD_LABEL
from reconciler.controllers.ownership import controller_reference
from reconciler.provenance import provenance
from schemas.apps import StatefulSet
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod, PodTemplateSpec
from schemas.core.volume import PersistentVolumeClaimVolumeSource, Volume
from schemas.meta import ObjectMeta

NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)", re.ASCII | re.DOTALL)


def ordinal(owner: StatefulSet, pod: Pod) -> int | None:
    """The ordinal in the pod's name, None where the name is none of the set's."""
    found = _NAME.fullmatch(pod.metadata.name)
    return int(found[2]) if found is not None and found[1] == owner.metadata.name else None


def start(owner: StatefulSet) -> int:
    return owner.spec.ordinals.start if owner.spec.ordinals is not None else 0


def wanted(owner: StatefulSet) -> range:
    """The ordinals that the spec asks for."""
    replicas = 1 if owner.spec.replicas is None else owner.spec.replicas
    return range(start(owner), start(owner) + replicas)


def running_and_ready(pod: Pod) -> bool:
    return pod.status.phase == "Running" and podstate.ready(pod)


def healthy(pod: Pod) -> bool:
    return running_and_ready(pod) and pod.metadata.deletion_timestamp is None


def revision_of(pod: Pod) -> str:
    """The name of the ControllerRevision."""
    return pod.metadata.labels.get(POD_LABEL, "")


def new_pod(owner: StatefulSet, template: PodTemplateSpec, revision: str, number: int) -> Pod:
    """The pod of that ordinal, by a template that is of that revision."""
    assert template.spec is not None
    name = f"{owner.metadata.name}-{number}"
    metadata = ObjectMeta(
        name=name,
        generate_name=f"{owner.metadata.name}-",
        namespace=owner.metadata.namespace,
        labels={**template.metadata.labels, **_identity(name), POD_LABEL: revision},
        annotations=template.metadata.annotations | provenance(owner),
        finalizers=template.metadata.finalizers,
        owner_references=(controller_reference(owner),),
    )
    mounted = {claim.metadata.name for claim in owner.spec.volume_claim_templates}
    volumes = (
        *(_volume(one.metadata.name, claim_name(owner, one, number)) for one in owner.spec.volume_claim_templates),
        *(volume for volume in template.spec.volumes if volume.name not in mounted),
    )
    spec = structs.replace(template.spec, hostname=name, subdomain=owner.spec.service_name, volumes=volumes)
    return Pod(metadata=metadata, spec=spec)


def _identity(name: str) -> dict[str, str]:
    return {NAME_LABEL: name, INDEX_LABEL: name.rpartition("-")[2]}


def _volume(name: str, claim: str) -> Volume:
    return Volume(name=name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=claim))


def claim_name(owner: StatefulSet, template: PersistentVolumeClaim, number: int) -> str:
    return f"{template.metadata.name}-{owner.metadata.name}-{number}"


def identified(pod: Pod) -> Pod:
    """The pod with the labels that name it."""
    labels = pod.metadata.labels | _identity(pod.metadata.name)
    return structs.replace(pod, metadata=structs.replace(pod.metadata, labels=labels))
