"""A project as Kubernetes documents, in the order in which a person would read them."""

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from reconciler.manifests.compose.model import Content, Files, Place, Project, Service, Volume
from reconciler.manifests.compose.names import config_key
from reconciler.manifests.compose.pods import pod_template
from schemas.dependson import DEPENDS_ON

Json = dict[str, Any]
NAME = "app.kubernetes.io/name"
PART_OF = "app.kubernetes.io/part-of"


class Made(msgspec.Struct, frozen=True):
    """A document and where in the project it comes from."""

    document: Json
    place: Place


def documents(project: Project) -> Iterator[Made]:
    """Volumes, files, then each service with its names."""
    for volume in project.volumes:
        if not (volume.external or volume.host_path or volume.memory):
            yield Made(_claim(volume, project), volume.place)
    for content in project.contents:
        if content.data is not None:
            yield Made(_content(content, project), content.place)
    kinds = {service.name: (service.deploy.kind, service.object_name) for service in project.services}
    for service in project.services:
        for mount in service.mounts:
            if isinstance(mount.source, Files):
                yield Made(_files(mount.source, project), service.place)
        yield Made(workload(service, project, kinds), service.place)
        for name in (service.object_name, *service.network.aliases):
            if service.deploy.kind != "Job" or service.network.ports:
                yield Made(_service(name, service, project), service.place)


def _metadata(name: str, project: Project, annotations: dict[str, str], service: str = "") -> Json:
    labels = {NAME: service, PART_OF: project.name} if service else {PART_OF: project.name}
    metadata: Json = {"name": name, "namespace": project.namespace, "labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    return metadata


def _claim(volume: Volume, project: Project) -> Json:
    spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": volume.size}}}
    if volume.storage_class:
        spec["storageClassName"] = volume.storage_class
    metadata = _metadata(volume.claim, project, volume.annotations)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _content(content: Content, project: Project) -> Json:
    metadata = _metadata(content.object_name, project, content.annotations)
    data = {content.key: content.data or b""}
    return {"apiVersion": "v1", "kind": content.kind, "metadata": metadata, **_data(content.kind, data)}


def _files(files: Files, project: Project) -> Json:
    data = {config_key(name): content for name, content in files.contents.items()}
    metadata = _metadata(files.config, project, {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **_data("ConfigMap", data)}


def _data(kind: str, data: dict[str, bytes]) -> Json:
    """As text where it is text."""
    texts: dict[str, str] = {}
    others: dict[str, str] = {}
    for name, content in data.items():
        try:
            texts[name] = content.decode()
        except UnicodeDecodeError:
            others[name] = base64.b64encode(content).decode()
    text_field, other_field = ("data", "binaryData") if kind == "ConfigMap" else ("stringData", "data")
    return {field: found for field, found in ((text_field, texts), (other_field, others)) if found}


def workload(service: Service, project: Project, kinds: dict[str, tuple[str, str]]) -> Json:
    """The Deployment, DaemonSet or Job that runs the service."""
    labels = {NAME: service.object_name, PART_OF: project.name}
    annotations = dict(service.deploy.annotations)
    if service.depends_on:
        annotations[DEPENDS_ON] = ", ".join("/".join(kinds[name]) for name in service.depends_on)
    metadata = _metadata(service.object_name, project, annotations, service.object_name)
    template = pod_template(service, labels)
    if service.deploy.kind == "Job":
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": _job(service, template)}
    spec: Json = {"selector": {"matchLabels": labels}}
    if service.deploy.kind == "Deployment":
        replicas = service.deploy.replicas
        spec = ({} if replicas is None else {"replicas": replicas}) | spec | {"strategy": _strategy(service)}
    spec["template"] = template
    return {"apiVersion": "apps/v1", "kind": service.deploy.kind, "metadata": metadata, "spec": spec}


def _strategy(service: Service) -> Json:
    """As Compose: stopped before the new one starts, so that a host's port or a volume is free."""
    parallelism = service.deploy.parallelism
    if service.deploy.start_first:
        surge = parallelism or "100%"
        return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": 0}}
    if (service.deploy.replicas or 1) == 1 or parallelism == 0:
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": parallelism}}


def _job(service: Service, template: Json) -> Json:
    deploy = service.deploy
    again = deploy.restart in ("always", "on-failure")
    spec: Json = {}
    if deploy.replicas is not None:
        spec = {"completions": deploy.replicas, "parallelism": deploy.replicas}
    if deploy.attempts is not None or not again:
        spec["backoffLimit"] = deploy.attempts or 0
    pod = {"restartPolicy": "OnFailure" if again else "Never", **template["spec"]}
    return {**spec, "template": {**template, "spec": pod}}


def _service(name: str, service: Service, project: Project) -> Json:
    """A name in DNS that leads to the pods themselves, at any port, ready or not: as in Compose."""
    ports = {
        (port.target, port.protocol): {
            "name": port.name or f"{port.protocol}-{port.target}",
            "port": port.target,
            **({"protocol": port.protocol.upper()} if port.protocol != "tcp" else {}),
            **({"appProtocol": port.app_protocol} if port.app_protocol else {}),
        }
        for port in service.network.ports
    }
    spec: Json = {"clusterIP": "None", "publishNotReadyAddresses": True}
    if ports:
        spec["ports"] = list(ports.values())
    spec["selector"] = {NAME: service.object_name, PART_OF: project.name}
    metadata = _metadata(name, project, {}, service.object_name)
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
