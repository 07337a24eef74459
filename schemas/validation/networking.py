"""Rules of Ingresses and IngressClasses."""

from ipaddress import ip_address

from schemas import names
from schemas.core.reference import TypedLocalObjectReference
from schemas.faults import Fault, Path
from schemas.networking import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassParametersReference,
    IngressServiceBackend,
    IngressTLS,
)
from schemas.validation.report import (
    IMMUTABLE,
    Faults,
    forbidden,
    invalid,
    port_number,
    required,
    unsupported,
    well_formed,
)

_SPEC: Path = ("spec",)
_CLASS = "kubernetes.io/ingress.class"
_NOT_WITHIN = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END = ("/..", "/.")
_LONGEST_CONTROLLER = 250


def ingress(declared: Ingress) -> Faults:
    spec = declared.spec
    if not spec.rules and spec.default_backend is None:
        yield invalid(_SPEC, None, "either `defaultBackend` or `rules` must be specified")
    if spec.default_backend is not None:
        yield from _backend((*_SPEC, "defaultBackend"), spec.default_backend)
    for index, rule in enumerate(spec.rules):
        at = (*_SPEC, "rules", index)
        if rule.host:
            yield from _host((*at, "host"), rule.host)
        if rule.http is not None:
            if not rule.http.paths:
                yield required((*at, "http", "paths"))
            for position, path in enumerate(rule.http.paths):
                yield from _path((*at, "http", "paths", position), path)
    for index, tls in enumerate(spec.tls):
        yield from _tls((*_SPEC, "tls", index), tls)
    if spec.ingress_class_name:
        yield from well_formed((*_SPEC, "ingressClassName"), spec.ingress_class_name, names.dns1123_subdomain)
    yield from _class_annotation(declared)


def _class_annotation(declared: Ingress) -> Faults:
    """The older way to name a class."""
    if (annotated := declared.metadata.annotations.get(_CLASS)) is None:
        return
    path = ("metadata", "annotations", _CLASS)
    if declared.spec.ingress_class_name and annotated != declared.spec.ingress_class_name:
        yield invalid(path, annotated, "must match `ingressClassName` when both are specified")
    yield Fault(path, "deprecated; write spec.ingressClassName instead", "warning")


def _host(path: Path, host: str) -> Faults:
    if _is_address(host):
        yield invalid(path, host, "must be a DNS name, not an IP address")
    yield from _domain(path, host)


def _is_address(text: str) -> bool:
    try:
        ip_address(text[:64])
    except ValueError:
        return False
    return True


def _domain(path: Path, domain: str) -> Faults:
    rule = names.wildcard_subdomain if "*" in domain else names.dns1123_subdomain
    yield from well_formed(path, domain, rule)


def _tls(path: Path, tls: IngressTLS) -> Faults:
    for index, host in enumerate(tls.hosts):
        yield from _domain((*path, "hosts", index), host)
    if tls.secret_name:
        yield from well_formed((*path, "secretName"), tls.secret_name, names.dns1123_subdomain)


def _path(path: Path, declared: HTTPIngressPath) -> Faults:
    text, at = declared.path, (*path, "path")
    match declared.path_type:
        case "":
            yield required((*path, "pathType"), "pathType must be specified")
            return
        case "Exact" | "Prefix":
            if not text.startswith("/"):
                yield invalid(at, text, "must be an absolute path")
            for part in _NOT_WITHIN:
                if part in text:
                    yield invalid(at, text, f"must not contain '{part}'")
            for end in _NOT_AT_THE_END:
                if text.endswith(end):
                    yield invalid(at, text, f"cannot end with '{end}'")
        case "ImplementationSpecific":
            if text and not text.startswith("/"):
                yield invalid(at, text, "must be an absolute path")
        case other:
            yield unsupported((*path, "pathType"), other, ("Exact", "ImplementationSpecific", "Prefix"))
    yield from _backend((*path, "backend"), declared.backend)


def _backend(path: Path, backend: IngressBackend) -> Faults:
    if backend.resource is not None and backend.service is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif backend.resource is not None:
        yield from _reference((*path, "resource"), backend.resource)
    elif backend.service is not None:
        yield from _service(path, backend.service)
    else:
        yield invalid(path, "", "resource or service backend is required")


def _service(path: Path, service: IngressServiceBackend) -> Faults:
    if not service.name:
        yield required((*path, "service", "name"))
    else:
        yield from well_formed((*path, "service", "name"), service.name, names.dns1123_label)
    at, port = (*path, "service", "port"), service.port
    if port is None or not (port.name or port.number):
        yield required(path, "port name or number is required")
    elif port.name and port.number:
        yield invalid(path, "", "cannot set both port name & port number")
    elif port.name:
        yield from well_formed((*at, "name"), port.name, names.port_name)
    else:
        yield from port_number((*at, "number"), port.number)


def _reference(path: Path, reference: TypedLocalObjectReference | IngressClassParametersReference) -> Faults:
    if reference.api_group:
        yield from well_formed((*path, "apiGroup"), reference.api_group, names.dns1123_subdomain)
    for field, value in (("kind", reference.kind), ("name", reference.name)):
        if not value:
            yield required((*path, field))
        else:
            yield from well_formed((*path, field), value, names.path_segment)


def ingress_class(declared: IngressClass) -> Faults:
    path, controller = (*_SPEC, "controller"), declared.spec.controller
    if not controller:
        yield required(path)
    elif len(controller.encode()) > _LONGEST_CONTROLLER:
        yield invalid(path, f"{len(controller)} characters", f"may not be more than {_LONGEST_CONTROLLER} bytes")
    else:
        yield from well_formed(path, controller, names.domain_prefixed_path)
    if declared.spec.parameters is not None:
        yield from _parameters((*_SPEC, "parameters"), declared.spec.parameters)


def _parameters(path: Path, parameters: IngressClassParametersReference) -> Faults:
    yield from _reference(path, parameters)
    at = (*path, "namespace")
    match parameters.scope:
        case "Namespace" if not parameters.namespace:
            yield required(at, "`parameters.scope` is set to 'Namespace'")
        case "Namespace":
            yield from well_formed(at, parameters.namespace, names.dns1123_label)
        case "Cluster":
            if parameters.namespace:
                yield forbidden(at, "`parameters.scope` is set to 'Cluster'")
        case "":
            yield required((*path, "scope"))
        case other:
            yield unsupported((*path, "scope"), other, ("Cluster", "Namespace"))


def ingress_class_update(new: IngressClass, old: IngressClass) -> Faults:
    if new.spec.controller != old.spec.controller:
        yield invalid((*_SPEC, "controller"), new.spec.controller, IMMUTABLE)
