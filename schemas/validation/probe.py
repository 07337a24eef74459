"""Rules of probes and of lifecycle hooks: exactly one handler, sound times."""

import re
from typing import Any

from schemas.core.container import HTTPGetAction, Lifecycle, LifecycleHandler, Probe, TCPSocketAction
from schemas.faults import Path
from schemas.signals import SUPPORTED
from schemas.validation import address
from schemas.validation.report import Faults, at_least, forbidden, invalid, one_of, port_number, required

_HEADER = re.compile(r"[-A-Za-z0-9]+", re.ASCII)


def probes(path: Path, liveness: Probe | None, readiness: Probe | None, startup: Probe | None) -> Faults:
    if liveness is not None:
        yield from _probe((*path, "livenessProbe"), liveness, once=True)
    if readiness is not None:
        at = (*path, "readinessProbe")
        yield from _probe(at, readiness, once=False)
        if readiness.termination_grace_period_seconds is not None:
            seconds = readiness.termination_grace_period_seconds
            yield invalid((*at, "terminationGracePeriodSeconds"), seconds, "must not be set for readinessProbes")
    if startup is not None:
        yield from _probe((*path, "startupProbe"), startup, once=True)


def _probe(path: Path, probe: Probe, *, once: bool) -> Faults:
    handlers = {
        "exec": probe.exec,
        "httpGet": probe.http_get,
        "tcpSocket": probe.tcp_socket,
        "grpc": probe.grpc,
    }
    yield from _one_handler(path, handlers)
    for field, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        yield from at_least((*path, field), value)
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        yield invalid((*path, "terminationGracePeriodSeconds"), grace, "must be greater than 0")
    if once and probe.success_threshold > 1:
        yield invalid((*path, "successThreshold"), probe.success_threshold, "must be 1")


def _one_handler(path: Path, handlers: dict[str, Any]) -> Faults:
    named = [(field, handler) for field, handler in handlers.items() if handler is not None]
    if not named:
        yield required(path, "must specify a handler type")
    for position, (field, handler) in enumerate(named):
        at = (*path, field)
        if position:
            yield forbidden(at, "may not specify more than 1 handler type")
        elif field == "exec":
            if not handler.command:
                yield required((*at, "command"))
        elif field == "httpGet":
            yield from _http_get(at, handler)
        elif field == "tcpSocket":
            yield from _tcp_socket(at, handler)
        elif field == "grpc":
            yield from port_number((*at, "port"), handler.port)


def _http_get(path: Path, action: HTTPGetAction) -> Faults:
    yield from address.port((*path, "port"), action.port)
    yield from one_of((*path, "scheme"), action.scheme, ("HTTP", "HTTPS"))
    for index, header in enumerate(action.http_headers):
        if not _HEADER.fullmatch(header.name):
            sentence = (
                "a valid HTTP header must consist of alphanumeric characters or '-' "
                "(e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"
            )
            yield invalid((*path, "httpHeaders", index), header.name, sentence)


def _tcp_socket(path: Path, action: TCPSocketAction) -> Faults:
    yield from address.port((*path, "port"), action.port)


def lifecycle(path: Path, hooks: Lifecycle, grace_seconds: int | None) -> Faults:
    yield from one_of((*path, "stopSignal"), hooks.stop_signal, SUPPORTED)
    if hooks.post_start is not None:
        yield from _hook((*path, "postStart"), hooks.post_start, grace_seconds)
    if hooks.pre_stop is not None:
        yield from _hook((*path, "preStop"), hooks.pre_stop, grace_seconds)


def _hook(path: Path, handler: LifecycleHandler, grace_seconds: int | None) -> Faults:
    handlers = {
        "exec": handler.exec,
        "httpGet": handler.http_get,
        "tcpSocket": handler.tcp_socket,
        "sleep": handler.sleep,
    }
    yield from _one_handler(path, handlers)
    others = any(handlers[field] is not None for field in ("exec", "httpGet", "tcpSocket"))
    if handler.sleep is not None and not others:
        seconds, grace = handler.sleep.seconds, 30 if grace_seconds is None else grace_seconds
        if not 0 <= seconds <= grace:
            sentence = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield invalid((*path, "sleep"), seconds, sentence)
