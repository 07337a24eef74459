"""What a node shall hold, as the cluster says it: pure, from the view to the digest and its bodies.

A node is told the pods that are bound to it, the ConfigMaps, Secrets and claimed volumes that these use, and which
directories of deleted volumes to remove; nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec
from msgspec import field, structs

from reconciler.controllers.volumes import localpath
from reconciler.link.ingresses import certificates
from reconciler.link.readying import Prepull, readying
from reconciler.store.view import View
from schemas import podtokens
from schemas.core.config import ConfigMap, Secret
from schemas.core.container import Container, EphemeralContainer
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from schemas.core.volume import Volume
from schemas.messages import HANDLER, RUNTIME_CLASS, Assignment, ClaimedVolume, Config, Digest, WantedImage
from schemas.meta import Ref
from schemas.node import RuntimeClass
from schemas.podclaims import claim_names

COMMIT = "wherry.dev/commit"
"""Annotation: the commit of the manifests that an object comes from."""


class Desired(msgspec.Struct, frozen=True):
    """What one node shall hold: `pods` by uid, `configs` by key; and what it shall not: `discard`, as in the digest.

    `named` are the ConfigMaps, Secrets and claims that its pods name, also those that do not exist.
    """

    pods: Mapping[str, Assignment] = field(default_factory=dict)
    configs: Mapping[str, Config] = field(default_factory=dict)
    pod_cidr: str = ""
    named: frozenset[Ref] = frozenset()
    discard: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, WantedImage] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def digest(self, store: str, revision: int) -> Digest:
        generations = {uid: assignment.pod.metadata.generation for uid, assignment in self.pods.items()}
        hashes = {key: config.content_hash() for key, config in self.configs.items()}
        return Digest(
            store=store,
            revision=revision,
            pods=generations,
            configs=hashes,
            pod_cidr=self.pod_cidr,
            discard=dict(self.discard),
            images=dict(self.images),
            labels=dict(self.labels),
        )


def no_token(pod: Pod) -> Config | None:
    return None


def desired(
    node: str,
    view: View,
    token: Callable[[Pod], Config | None] = no_token,
    discard: Mapping[str, str] = MappingProxyType({}),
    prepulls: Iterable[Prepull] = (),
) -> Desired:
    """Everything that this node shall hold now.

    `token` gives the body of a pod's tokens, `discard` is of `discards`, `prepulls` of `readying`.

    Pods that are ending stay until the node has reported them removed, and ended ones until they are deleted:
    their logs and exit codes are on the node.
    """
    pods = view.pods_on(node)
    ready = readying(node, pods, prepulls, view)
    named = frozenset(ref for pod in pods for ref in uses(pod)) | ready.secrets | certificates(node, view)
    configs = [config for ref in sorted(named) if (config := _config(ref, view))]
    configs += [config for pod in pods if (config := token(pod))]
    stored = view.get(Node, "", node)
    return Desired(
        pods={pod.metadata.uid: _assignment(pod) for pod in pods},
        configs={config.key: config for config in configs},
        pod_cidr=",".join(stored.spec.pod_cidrs or (stored.spec.pod_cidr,)) if stored else "",
        named=named,
        discard=discard,
        images=ready.images,
        labels=stored.metadata.labels if stored else {},
    )


def uses(pod: Pod) -> set[Ref]:
    """The ConfigMaps, Secrets and claims that the pod names, optional ones included, whether they exist or not.

    And the ServiceAccount whose token it mounts, and its RuntimeClass.
    """
    namespace = pod.metadata.namespace
    return {Ref(kind, "" if kind == RUNTIME_CLASS else namespace, name) for kind, name in _named(pod) if name}


def _named(pod: Pod) -> Iterator[tuple[str, str]]:
    spec = pod.spec
    for container in (*spec.init_containers, *spec.containers):
        yield from _named_by_container(container)
    for debugger in spec.ephemeral_containers:
        yield from _named_by_container(debugger)
    for volume in spec.volumes:
        yield from _named_by_volume(volume)
    for claim in claim_names(pod):
        yield "PersistentVolumeClaim", claim
    for reference in spec.image_pull_secrets:
        yield "Secret", reference.name
    yield RUNTIME_CLASS, spec.runtime_class_name
    if podtokens.asked(pod):
        yield "ServiceAccount", spec.service_account_name


def _named_by_container(container: Container | EphemeralContainer) -> Iterator[tuple[str, str]]:
    for source in container.env_from:
        if source.config_map_ref:
            yield "ConfigMap", source.config_map_ref.name
        if source.secret_ref:
            yield "Secret", source.secret_ref.name
    for variable in container.env:
        if variable.value_from and variable.value_from.config_map_key_ref:
            yield "ConfigMap", variable.value_from.config_map_key_ref.name
        if variable.value_from and variable.value_from.secret_key_ref:
            yield "Secret", variable.value_from.secret_key_ref.name


def _named_by_volume(volume: Volume) -> Iterator[tuple[str, str]]:
    if volume.config_map:
        yield "ConfigMap", volume.config_map.name
    if volume.secret:
        yield "Secret", volume.secret.secret_name
    for source in volume.projected.sources if volume.projected else ():
        if source.config_map:
            yield "ConfigMap", source.config_map.name
        if source.secret:
            yield "Secret", source.secret.name


def _assignment(pod: Pod) -> Assignment:
    """The pod without what changes with every report of its own node: that must not come back as news."""
    metadata = structs.replace(pod.metadata, managed_fields=(), resource_version="")
    bare = structs.replace(pod, metadata=metadata, status=PodStatus())
    return Assignment(bare, pod.metadata.annotations.get(COMMIT, ""))


def _config(ref: Ref, view: View) -> Config | None:
    found = view.find(ref)
    if isinstance(found, ConfigMap):
        data = {key: value.encode() for key, value in found.data.items()} | found.binary_data
        return Config("ConfigMap", ref.namespace, ref.name, data)
    if isinstance(found, Secret):
        data = found.data | {key: value.encode() for key, value in found.string_data.items()}
        return Config("Secret", ref.namespace, ref.name, data)
    if isinstance(found, RuntimeClass):
        return Config(RUNTIME_CLASS, "", ref.name, {HANDLER: found.handler.encode()})
    if isinstance(found, PersistentVolumeClaim) and (volume := _claimed(found, view)):
        return Config("PersistentVolumeClaim", ref.namespace, ref.name, volume=volume)
    return None


def _claimed(claim: PersistentVolumeClaim, view: View) -> ClaimedVolume | None:
    """None while the two are not bound to each other, or no agent can mount such a volume."""
    volume = view.get(PersistentVolume, "", claim.spec.volume_name)
    kept = volume.spec.claim_ref if volume is not None else None
    if volume is None or kept is None or kept.uid != claim.metadata.uid or claim.status.phase != "Bound":
        return None
    spec = volume.spec
    block = spec.volume_mode == "Block"
    if not spec.local and (block or not (spec.host_path or spec.nfs)):
        return None
    return ClaimedVolume(
        name=volume.metadata.name,
        local=spec.local.path if spec.local else "",
        provisioned=localpath.is_ours(volume),
        block=block,
        host_path=spec.host_path,
        nfs=spec.nfs,
        mount_options=spec.mount_options,
    )


def discards(view: View) -> dict[str, dict[str, str]]:
    """By node the directories of volumes that are deleted, by the uids of these."""
    found: dict[str, dict[str, str]] = {}
    for volume in view.list(PersistentVolume):
        if localpath.is_to_be_discarded(volume) and volume.spec.local is not None:
            found.setdefault(localpath.node_of(volume), {})[volume.metadata.uid] = volume.spec.local.path
    return found
