"""What the API server fills in where a pod leaves a field out. See `schemas.defaults`."""

from typing import TypeVar

from msgspec import structs

from schemas import podrequests
from schemas.core.container import (
    Container,
    ContainerPort,
    EnvVar,
    EphemeralContainer,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    Probe,
    ResourceRequirements,
)
from schemas.core.pod import PodSpec
from schemas.core.security import PodSecurityContext
from schemas.defaults.value import field_ref, pull_policy, resource_field_ref, resource_list
from schemas.defaults.volume import volume

AnyContainer = TypeVar("AnyContainer", Container, EphemeralContainer)


def pod_spec(spec: PodSpec) -> PodSpec:
    """Of a pod itself: as in a template, and what makes sense only for one that shall run."""
    spec = template_spec(spec)
    spec = structs.replace(
        spec,
        enable_service_links=True if spec.enable_service_links is None else spec.enable_service_links,
        containers=tuple(_of_a_pod(container, spec.host_network) for container in spec.containers),
        init_containers=tuple(_of_a_pod(container, spec.host_network) for container in spec.init_containers),
    )
    return structs.replace(spec, resources=_of_the_whole(spec))


def _of_the_whole(spec: PodSpec) -> ResourceRequirements | None:
    """With limits of its own a pod requests what its containers do together, else as much as it may have (KEP-2837)."""
    whole = spec.resources
    if whole is None or not whole.limits:
        return whole
    together = {name: amount for name, amount in podrequests.written(spec).items() if podrequests.is_of_the_whole(name)}
    limits = {name: amount for name, amount in whole.limits.items() if podrequests.is_of_the_whole(name)}
    return structs.replace(whole, requests=limits | together | whole.requests)


def template_spec(spec: PodSpec) -> PodSpec:
    """Of a pod in the template of a workload."""
    grace = spec.termination_grace_period_seconds
    account = spec.service_account_name or spec.service_account
    return structs.replace(
        spec,
        containers=tuple(_container(container) for container in spec.containers),
        init_containers=tuple(_container(container) for container in spec.init_containers),
        ephemeral_containers=tuple(_container(container) for container in spec.ephemeral_containers),
        volumes=tuple(volume(declared) for declared in spec.volumes),
        dns_policy=spec.dns_policy or "ClusterFirst",
        restart_policy=spec.restart_policy or "Always",
        scheduler_name=spec.scheduler_name or "default-scheduler",
        security_context=spec.security_context or PodSecurityContext(),
        termination_grace_period_seconds=30 if grace is None else 1 if grace < 0 else grace,
        service_account_name=account,
        service_account=account,
        overhead=resource_list(spec.overhead),
        resources=_resources(spec.resources) if spec.resources else None,
    )


def _of_a_pod(container: Container, host_network: bool) -> Container:
    resources = container.resources
    if resources.limits:
        resources = structs.replace(resources, requests=resources.limits | resources.requests)
    ports = container.ports
    if host_network:
        ports = tuple(structs.replace(port, host_port=port.host_port or port.container_port) for port in ports)
    return structs.replace(container, resources=resources, ports=ports)


def _container(container: AnyContainer) -> AnyContainer:
    return structs.replace(
        container,
        env=tuple(_variable(variable) for variable in container.env),
        image_pull_policy=container.image_pull_policy or pull_policy(container.image),
        lifecycle=_lifecycle(container.lifecycle),
        liveness_probe=_probe(container.liveness_probe),
        ports=tuple(_port(port) for port in container.ports),
        readiness_probe=_probe(container.readiness_probe),
        resources=_resources(container.resources),
        startup_probe=_probe(container.startup_probe),
        termination_message_path=container.termination_message_path or "/dev/termination-log",
        termination_message_policy=container.termination_message_policy or "File",
    )


def _resources(resources: ResourceRequirements) -> ResourceRequirements:
    if not resources.limits and not resources.requests:
        return resources
    return structs.replace(
        resources, limits=resource_list(resources.limits), requests=resource_list(resources.requests)
    )


def _port(port: ContainerPort) -> ContainerPort:
    return port if port.protocol else structs.replace(port, protocol="TCP")


def _variable(variable: EnvVar) -> EnvVar:
    source = variable.value_from
    if source is None:
        return variable
    file = source.file_key_ref
    return structs.replace(
        variable,
        value_from=structs.replace(
            source,
            field_ref=field_ref(source.field_ref),
            resource_field_ref=resource_field_ref(source.resource_field_ref),
            file_key_ref=structs.replace(file, optional=False) if file and file.optional is None else file,
        ),
    )


def _probe(probe: Probe | None) -> Probe | None:
    if probe is None:
        return None
    return structs.replace(
        probe,
        failure_threshold=probe.failure_threshold or 3,
        http_get=_http_get(probe.http_get),
        period_seconds=probe.period_seconds or 10,
        success_threshold=probe.success_threshold or 1,
        timeout_seconds=probe.timeout_seconds or 1,
    )


def _http_get(action: HTTPGetAction | None) -> HTTPGetAction | None:
    if action is None:
        return None
    return structs.replace(action, path=action.path or "/", scheme=action.scheme or "HTTP")


def _lifecycle(lifecycle: Lifecycle | None) -> Lifecycle | None:
    if lifecycle is None:
        return None
    return structs.replace(lifecycle, post_start=_handler(lifecycle.post_start), pre_stop=_handler(lifecycle.pre_stop))


def _handler(handler: LifecycleHandler | None) -> LifecycleHandler | None:
    return None if handler is None else structs.replace(handler, http_get=_http_get(handler.http_get))
