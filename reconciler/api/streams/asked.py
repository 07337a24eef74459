"""What a request for a stream asks for: its query and its pod go in, a call to a node comes out. Pure.

What makes no sense is refused in Kubernetes' words
(https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Operations).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

from reconciler.api.status import StatusError, bad_request, invalid
from schemas.core.pod import Pod
from schemas.core.service import Service
from schemas.faults import Fault
from schemas.rpc import AttachRequest, End, ExecRequest, LogRequest

MAX_PORT = 65535
_STREAMS: Mapping[str, Literal["", "stdout", "stderr"]] = {"": "", "All": "", "Stdout": "stdout", "Stderr": "stderr"}
_FALSE = frozenset({"", "0", "false", "False", "f", "F", "FALSE"})
_NUMBER = re.compile(r"[-+]?[0-9]+")

Query = Mapping[str, str]
T = TypeVar("T")


def of_end(end: End) -> StatusError:
    """Why a call was refused, or ended, as an answer."""
    prefix = "Internal error occurred: " if end.reason == "InternalError" else ""
    return StatusError(end.code or 500, end.reason or "InternalError", f"{prefix}{end.message}")


def log_request(query: Query, pod: Pod) -> LogRequest:
    """Raises the 422 for options that make no sense, and the 400 for a container that is none."""
    faults: list[Fault] = []

    def number(name: str, least: int) -> int | None:
        found = _integer(query, name)
        if found is not None and found < least:
            bound = "greater than or equal to 0" if least == 0 else "greater than 0"
            faults.append(Fault((name,), f"Invalid value: {found}: must be {bound}"))
        return found

    tail, limit = number("tailLines", 0), number("limitBytes", 1)
    since, at = number("sinceSeconds", 1), _time(query, "sinceTime")
    if since is not None and at is not None:
        message = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        faults.append(Fault(("sinceSeconds",), message))
    stream = query.get("stream", "")
    if stream not in _STREAMS:
        message = f'Unsupported value: "{stream}": supported values: "All", "Stderr", "Stdout"'
        faults.append(Fault(("stream",), message))
    elif _STREAMS[stream] and tail is not None:
        message = f'Forbidden: `tailLines` and specific `stream` are mutually exclusive for now: "{stream}"'
        faults.append(Fault(("tailLines",), message))
    if faults:
        raise invalid("PodLogOptions", "", pod.metadata.name, faults)
    return LogRequest(
        uid=pod.metadata.uid,
        container=container_of(pod, query.get("container", "")),
        follow=_flag(query, "follow"),
        previous=_flag(query, "previous"),
        timestamps=_flag(query, "timestamps"),
        tail_lines=tail,
        limit_bytes=limit,
        since_seconds=since,
        since_time=at,
        stream=_STREAMS[stream],
    )


def exec_request(query: Query, commands: Sequence[str], pod: Pod) -> ExecRequest:
    """Raises the 400."""
    _check_streams(query)
    if not commands:
        raise bad_request("you must specify at least one command for the container")
    return ExecRequest(
        uid=pod.metadata.uid,
        container=container_of(pod, query.get("container", "")),
        command=tuple(commands),
        stdin=_flag(query, "stdin"),
        stdout=_flag(query, "stdout"),
        stderr=_flag(query, "stderr"),
        tty=_flag(query, "tty"),
    )


def attach_request(query: Query, pod: Pod) -> AttachRequest:
    """Raises the 400."""
    _check_streams(query)
    return AttachRequest(
        uid=pod.metadata.uid,
        container=container_of(pod, query.get("container", "")),
        stdin=_flag(query, "stdin"),
        stdout=_flag(query, "stdout"),
        stderr=_flag(query, "stderr"),
        tty=_flag(query, "tty"),
    )


def container_of(pod: Pod, asked: str) -> str:
    """The container that is meant, which has to be said where there are several. Raises the 400."""
    spec, name = pod.spec, pod.metadata.name
    usual = [container.name for container in spec.containers]
    inits = [container.name for container in spec.init_containers]
    every = [*usual, *inits, *(container.name for container in spec.ephemeral_containers)]
    if asked:
        if asked not in every:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(usual) == 1:
        return usual[0]
    choice = f"a container name must be specified for pod {name}, choose one of: [{' '.join(usual)}]"
    if inits:
        choice += f" or one of the init containers: [{' '.join(inits)}]"
    raise bad_request(choice)


def node_of(pod: Pod) -> str:
    """Where the pod runs. Raises the 400 for one that runs nowhere."""
    if not pod.spec.node_name:
        raise bad_request(f"pod {pod.metadata.name} does not have a host assigned")
    return pod.spec.node_name


def ports(values: Sequence[str]) -> list[int]:
    """Of a port-forward, which may be separated by commas. Raises the 400."""
    found = [part.strip() for value in values for part in value.split(",")]
    for part in found:
        if not part.isdecimal() or not 0 < int(part) <= MAX_PORT:
            raise bad_request(f'unable to parse "{part}" as a port: it must be between 1 and {MAX_PORT}')
    if not found:
        raise bad_request('query parameter "port" is required')
    return [int(part) for part in found]


def split_address(name: str) -> tuple[str, str, str]:
    """`https:web:8443` → scheme, name and port of what a proxy request names; the port may be a name, or missing."""
    scheme, _, rest = name.rpartition(":") if name.count(":") == 1 else ("", "", name)
    if name.count(":") == 2:
        scheme, bare, port = name.split(":")
        return scheme or "http", bare, port
    if scheme in ("http", "https"):
        return scheme, rest, ""
    return ("http", scheme, rest) if scheme else ("http", name, "")


def pod_port(pod: Pod, port: str) -> int:
    """By number, or by the name that a container gives it; without either the pod's first one. Raises the 400."""
    if port.isdecimal() and 0 < int(port) <= MAX_PORT:
        return int(port)
    for container in pod.spec.containers:
        for declared in container.ports:
            if port in ("", declared.name):
                return declared.container_port
    if not port:
        return 80
    raise bad_request(f'pod {pod.metadata.name} has no port "{port}"')


def service_port(service: Service, port: str) -> str:
    """The port of the pods, by number or name, to which this one of the service leads. Raises the 503."""
    declared = service.spec.ports
    for one in declared:
        if port in (one.name, str(one.port)) or (not port and len(declared) == 1):
            return str(one.target_port or one.port)
    raise StatusError(
        503, "ServiceUnavailable", f'no service port "{port}" found for service "{service.metadata.name}"'
    )


def _check_streams(query: Query) -> None:
    if not any(_flag(query, name) for name in ("stdin", "stdout", "stderr")):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")


def _flag(query: Query, name: str) -> bool:
    return query.get(name, "") not in _FALSE


def _integer(query: Query, name: str) -> int | None:
    def read(text: str) -> int:
        if not _NUMBER.fullmatch(text) or abs(int(text)) >= 1 << 63:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    return _read(query, name, read)


def _time(query: Query, name: str) -> datetime | None:
    def read(text: str) -> datetime:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise bad_request(f'parsing time "{text}" as RFC 3339: cannot parse it') from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    return _read(query, name, read)


def _read(query: Query, name: str, read: Callable[[str], T]) -> T | None:
    text = query.get(name, "")
    return read(text) if text else None
