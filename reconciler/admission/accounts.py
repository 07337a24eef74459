"""ServiceAccount: every pod runs as one, that has to be there, and its token is mounted. Pure.

The account `default` of a namespace is taken to be there: a controller makes it, and a pod of the same commit must
not depend on which of the two was quicker.
"""

from msgspec import structs

from reconciler.store.planning import suffix_of
from reconciler.store.view import View
from schemas.core.config import ServiceAccount
from schemas.core.container import Container, ObjectFieldSelector, VolumeMount
from schemas.core.pod import Pod, PodSpec
from schemas.core.volume import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from schemas.meta import Object

DEFAULT = "default"
VOLUME = "kube-api-access"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
SECONDS = 3607
"""By this odd number the token that every pod gets is known: see `reconciler.api.tokens`."""


def complete(object_: Object, view: View) -> Object:
    if not isinstance(object_, Pod):
        return object_
    spec = object_.spec
    name = spec.service_account_name or spec.service_account or DEFAULT
    account = view.get(ServiceAccount, object_.metadata.namespace, name)
    secrets = spec.image_pull_secrets or (account.image_pull_secrets if account else ())
    spec = structs.replace(spec, service_account_name=name, service_account=name, image_pull_secrets=secrets)
    if _mounts_token(spec, account):
        metadata = object_.metadata
        spec = _with_token(spec, f"{metadata.namespace}/{metadata.name}/{metadata.uid}")
    return structs.replace(object_, spec=spec)


def _mounts_token(spec: PodSpec, account: ServiceAccount | None) -> bool:
    """What the pod says goes before what its account says."""
    if spec.automount_service_account_token is not None:
        return spec.automount_service_account_token
    return account is None or account.automount_service_account_token is not False


def _with_token(spec: PodSpec, seed: str) -> PodSpec:
    """The volume of the token, mounted wherever nothing else is mounted in its place."""
    there = next((one.name for one in spec.volumes if one.name.startswith(f"{VOLUME}-")), "")
    name = there or f"{VOLUME}-{suffix_of(seed)}"
    containers, inits = _mounting(spec.containers, name), _mounting(spec.init_containers, name)
    used = containers != spec.containers or inits != spec.init_containers
    volumes = (*spec.volumes, _volume(name)) if used and not there else spec.volumes
    return structs.replace(spec, containers=containers, init_containers=inits, volumes=volumes)


def _mounting(containers: tuple[Container, ...], volume: str) -> tuple[Container, ...]:
    mount = VolumeMount(mount_path=MOUNT_PATH, name=volume, read_only=True)
    return tuple(
        one
        if any(has.mount_path == MOUNT_PATH for has in one.volume_mounts)
        else structs.replace(one, volume_mounts=(*one.volume_mounts, mount))
        for one in containers
    )


def _volume(name: str) -> Volume:
    """Token, authority and namespace, as Kubernetes projects them."""
    field = ObjectFieldSelector(api_version="v1", field_path="metadata.namespace")
    sources = (
        VolumeProjection(service_account_token=ServiceAccountTokenProjection("token", expiration_seconds=SECONDS)),
        VolumeProjection(config_map=ConfigMapProjection((KeyToPath("ca.crt", "ca.crt"),), "kube-root-ca.crt")),
        VolumeProjection(
            downward_api=DownwardAPIProjection((DownwardAPIVolumeFile(path="namespace", field_ref=field),))
        ),
    )
    return Volume(name=name, projected=ProjectedVolumeSource(default_mode=0o644, sources=sources))


def check(object_: Object, view: View) -> str:
    if not isinstance(object_, Pod):
        return ""
    namespace, name = object_.metadata.namespace, object_.spec.service_account_name
    if name in ("", DEFAULT) or view.get(ServiceAccount, namespace, name) is not None:
        return ""
    return f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
