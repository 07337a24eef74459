"""Which volumes a pod has and what shall be in them: values only; `writer` and `preparing` make it so.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import field

from nodeagent.pods.environment import ConfigKind
from nodeagent.pods.fieldpaths import FieldFault, PodFacts, resource
from nodeagent.pods.fieldpaths import field as field_value
from nodeagent.pods.podcgroup import HUGE, huge_resource, memory_limit_of
from schemas import podtokens
from schemas.core.pod import Pod
from schemas.core.volume import (
    DownwardAPIVolumeFile,
    KeyToPath,
    NFSVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from schemas.messages import Config, config_key
from schemas.podclaims import claim_name
from schemas.podrequests import limits
from schemas.quantity import value

DEFAULT_MODE = 0o644
CLAIM = "PersistentVolumeClaim"


class VolumeFault(Exception):
    """A volume cannot be had as things are. The text is for an event."""

    def __init__(self, volume: str, message: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {message}')
        self.volume = volume


class File(msgspec.Struct, frozen=True):
    content: bytes
    mode: int = DEFAULT_MODE


class EmptyDir(msgspec.Struct, frozen=True):
    """`in_memory`: a tmpfs of its own, of `size` bytes (0: the kernel's default); with `page_size` of huge pages."""

    name: str
    in_memory: bool = False
    size: int = 0
    page_size: int = 0


class HostPath(msgspec.Struct, frozen=True):
    name: str
    path: str
    type: str = ""
    read_only: bool = False


class Local(msgspec.Struct, frozen=True):
    """A directory that is a PersistentVolume; `is_ours`: it is made where it is not there yet."""

    name: str
    path: str
    is_ours: bool = False
    read_only: bool = False


class Block(msgspec.Struct, frozen=True):
    """A device that is a PersistentVolume, and that containers see as one."""

    name: str
    path: str
    read_only: bool = False


class ImageVolume(msgspec.Struct, frozen=True):
    """The files of an image. `policy`: of its pull, as of a container's."""

    name: str
    reference: str
    policy: str = ""


class Share(msgspec.Struct, frozen=True):
    """A directory of an NFS server, mounted for this pod."""

    name: str
    server: str
    path: str
    options: tuple[str, ...] = ()
    read_only: bool = False


class Content(msgspec.Struct, frozen=True):
    """Files by their path below the volume. Containers only read it."""

    name: str
    files: Mapping[str, File] = field(default_factory=dict)


Planned = EmptyDir | HostPath | Local | Block | Share | ImageVolume | Content


class _Source(msgspec.Struct, frozen=True):
    """What ConfigMap and Secret volumes and projections have in common."""

    kind: ConfigKind
    name: str
    items: tuple[KeyToPath, ...]
    optional: bool


def config_keys(pod: Pod) -> set[str]:
    """The ConfigMaps and Secrets that the volumes of the pod show, and the claims that they are."""
    keys, namespace = set[str](), pod.metadata.namespace
    for volume in pod.spec.volumes:
        keys |= {config_key(source.kind, namespace, source.name) for source in _sources(volume)}
        if name := claim_name(pod, volume):
            keys.add(config_key(CLAIM, namespace, name))
    return keys


def is_read_only(planned: Planned) -> bool:
    """Whether containers may not write there, whatever their mounts say."""
    if isinstance(planned, HostPath | Local | Block | Share):
        return planned.read_only
    return isinstance(planned, Content | ImageVolume)


def plan_volumes(facts: PodFacts, configs: Mapping[str, Config]) -> tuple[Planned, ...]:
    """Raises `VolumeFault` for the first volume that cannot be had."""
    return tuple(_plan(volume, facts, configs) for volume in facts.pod.spec.volumes)


def _plan(volume: Volume, facts: PodFacts, configs: Mapping[str, Config]) -> Planned:
    if volume.host_path:
        return HostPath(volume.name, volume.host_path.path, volume.host_path.type)
    if volume.nfs:
        return _share(volume.name, volume.nfs, (), read_only=False)
    if volume.image:
        return ImageVolume(volume.name, volume.image.reference, volume.image.pull_policy)
    if name := claim_name(facts.pod, volume):
        return _claimed(volume, name, facts, configs)
    if volume.config_map or volume.secret or volume.downward_api or volume.projected:
        return Content(volume.name, _files(volume, facts, configs))
    if volume.empty_dir is not None or not _names_a_source(volume):
        return _empty_dir(volume, facts)
    raise VolumeFault(volume.name, "this kind of volume is not supported on this node; see docs/support.md")


def _empty_dir(volume: Volume, facts: PodFacts) -> EmptyDir:
    """In memory it takes no more than the pod may, nor than the node can give."""
    medium = volume.empty_dir.medium if volume.empty_dir else ""
    limit = volume.empty_dir.size_limit if volume.empty_dir else None
    size = value(limit) if limit is not None else 0
    if medium == "Memory":
        bounds = (size, memory_limit_of(facts.pod), facts.node.allocatable_memory)
        return EmptyDir(volume.name, True, min((bound for bound in bounds if bound), default=0))
    if medium.startswith("HugePages"):
        return EmptyDir(volume.name, True, size, _page_size(volume.name, medium, facts))
    return EmptyDir(volume.name, False, size)


def _page_size(volume: str, medium: str, facts: PodFacts) -> int:
    """`HugePages` alone means those that the containers ask for, which are then of one size."""
    named = {HUGE + medium.partition("-")[2]} if "-" in medium else {n for n in limits(facts.pod) if n.startswith(HUGE)}
    found = [size for size in facts.node.page_sizes if huge_resource(size) in named]
    if len(named) != 1 or len(found) != 1:
        have = ", ".join(map(huge_resource, facts.node.page_sizes)) or "none"
        raise VolumeFault(volume, f"medium {medium} asks for {' and '.join(sorted(named))}; the node has {have}")
    return found[0]


def _claimed(volume: Volume, claim: str, facts: PodFacts, configs: Mapping[str, Config]) -> Planned:
    config = configs.get(config_key(CLAIM, facts.pod.metadata.namespace, claim))
    if config is None or config.volume is None:
        text = f'PersistentVolumeClaim "{claim}" is not bound to a volume that this node can mount'
        raise VolumeFault(volume.name, text)
    found, source = config.volume, volume.persistent_volume_claim
    read_only = source is not None and source.read_only
    if found.block:
        return Block(volume.name, found.local, read_only)
    if found.host_path:
        return HostPath(volume.name, found.host_path.path, found.host_path.type, read_only)
    if found.nfs:
        return _share(volume.name, found.nfs, found.mount_options, read_only=read_only)
    return Local(volume.name, found.local, found.provisioned, read_only)


def _share(name: str, source: NFSVolumeSource, options: tuple[str, ...], *, read_only: bool) -> Share:
    return Share(name, source.server, source.path, options, read_only or source.read_only)


def _names_a_source(volume: Volume) -> bool:
    return any(getattr(volume, name) is not None for name in volume.__struct_fields__ if name != "name")


def _files(volume: Volume, facts: PodFacts, configs: Mapping[str, Config]) -> dict[str, File]:
    default = volume.config_map or volume.secret or volume.downward_api or volume.projected
    mode = DEFAULT_MODE if default is None or default.default_mode is None else default.default_mode
    files: dict[str, File] = {}
    try:
        for source in _sources(volume):
            files |= _from_config(source, mode, facts, configs)
        for item in _downward_items(volume):
            files[item.path] = _downward(item, mode, facts)
        for projection in podtokens.projections(volume):
            files[projection.path] = _token(projection, mode, facts.pod, configs)
        for path in files:
            _check_path(path)
    except FieldFault as fault:
        raise VolumeFault(volume.name, str(fault)) from None
    return files


def _sources(volume: Volume) -> Iterable[_Source]:
    if volume.config_map:
        one = volume.config_map
        yield _Source("ConfigMap", one.name, one.items, bool(one.optional))
    if volume.secret:
        yield _Source("Secret", volume.secret.secret_name, volume.secret.items, bool(volume.secret.optional))
    for projection in volume.projected.sources if volume.projected else ():
        if projection.config_map:
            mapped = projection.config_map
            yield _Source("ConfigMap", mapped.name, mapped.items, bool(mapped.optional))
        elif projection.secret:
            secret = projection.secret
            yield _Source("Secret", secret.name, secret.items, bool(secret.optional))


def _downward_items(volume: Volume) -> Iterable[DownwardAPIVolumeFile]:
    if volume.downward_api:
        yield from volume.downward_api.items
    for projection in volume.projected.sources if volume.projected else ():
        if projection.downward_api:
            yield from projection.downward_api.items
        else:
            _refuse_unsupported(projection)


def _refuse_unsupported(projection: VolumeProjection) -> None:
    if not (projection.config_map or projection.secret or projection.service_account_token):
        kind = next((name for name in projection.__struct_fields__ if getattr(projection, name)), "an empty source")
        raise FieldFault(f"{kind.replace('_', ' ')} cannot be projected on this node; see docs/support.md")


def _from_config(source: _Source, mode: int, facts: PodFacts, configs: Mapping[str, Config]) -> dict[str, File]:
    config = configs.get(config_key(source.kind, facts.pod.metadata.namespace, source.name))
    if config is None:
        if source.optional:
            return {}
        raise FieldFault(f'{source.kind.lower()} "{source.name}" not found')
    if not source.items:
        return {key: File(data, mode) for key, data in config.data.items()}
    files = {}
    for item in source.items:
        if item.key in config.data:
            files[item.path] = File(config.data[item.key], mode if item.mode is None else item.mode)
        elif not source.optional:
            kind = "config" if source.kind == "ConfigMap" else "secret"
            raise FieldFault(f"references non-existent {kind} key: {item.key}")
    return files


def _downward(item: DownwardAPIVolumeFile, mode: int, facts: PodFacts) -> File:
    if item.resource_field_ref:
        text = resource(item.resource_field_ref, None, facts)
    elif item.field_ref:
        text = field_value(item.field_ref.field_path, facts)
    else:
        raise FieldFault(f"downward API file {item.path} names neither fieldRef nor resourceFieldRef")
    return File(text.encode(), mode if item.mode is None else item.mode)


def _token(projection: ServiceAccountTokenProjection, mode: int, pod: Pod, configs: Mapping[str, Config]) -> File:
    """Where the pod has a group of its own (`fsGroup`), only that one reads it."""
    config = configs.get(podtokens.key_of(pod))
    token = config.data.get(podtokens.asked_by(projection).key) if config is not None else None
    if token is None:
        raise FieldFault(f'failed to fetch token: none was made for serviceaccount "{pod.spec.service_account_name}"')
    rights = pod.spec.security_context
    return File(token, mode if rights is None or rights.fs_group is None else 0o600)


def _check_path(path: str) -> None:
    """A file must stay within its volume, and must not take the names with which it is swapped."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise FieldFault(f"invalid path {path!r}: it must be relative, without '..' and not beginning with '..'")
