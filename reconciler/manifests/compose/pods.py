"""A service as the pods that run it: the pod template of its Deployment, DaemonSet or Job.

Pure. What Compose leaves open is left open, except where Kubernetes would do otherwise than Compose by default.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from reconciler.manifests.compose.model import Claim, Files, Granted, HostPath, Mount, Rights, Scratch, Service
from reconciler.manifests.compose.names import config_key, object_name
from reconciler.manifests.compose.syntax import quantity

Json = dict[str, Any]
DIGEST = "wherry.dev/config-digest"
"""Annotation of a pod: changes with the files that it mounts, so that a change of them replaces it."""
_EXECUTABLE = 0o755
_READABLE = 0o444
_REFERENCE = re.compile(r"\$(?:(?=\$)|\(([^)]*)\))")


def pod_template(service: Service, labels: dict[str, str]) -> Json:
    """The template, `restartPolicy` left to whose template it is."""
    annotations = dict(service.annotations)
    if digest := _digest(service.mounts):
        annotations[DIGEST] = digest
    metadata: Json = {"labels": labels}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": _without_empty(_spec(service, labels))}


def _spec(service: Service, labels: dict[str, str]) -> Json:
    rights, network = service.rights, service.network
    volumes = _Volumes()
    mounts = [volumes.mount(mount) for mount in service.mounts]
    return {
        "hostname": network.hostname,
        "hostNetwork": rights.host_network,
        "hostPID": rights.host_pid,
        "hostIPC": rights.host_ipc,
        "dnsPolicy": "ClusterFirstWithHostNet" if rights.host_network else "",
        "dnsConfig": _dns(service),
        "hostAliases": [{"ip": ip, "hostnames": list(names)} for ip, names in network.hosts.items()],
        # Compose hands no variables about other services, nor a token, to its containers.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "os": {"name": "linux"} if service.process.stop_signal else {},
        "terminationGracePeriodSeconds": service.grace_period,
        "affinity": _affinity(service),
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": label,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }
            for label in service.deploy.spread
        ],
        "securityContext": {
            "supplementalGroups": list(rights.groups),
            "sysctls": [{"name": name, "value": value} for name, value in rights.sysctls.items()],
        },
        "containers": [_container(service, mounts)],
        "volumes": list(volumes.made.values()),
    }


def _container(service: Service, mounts: list[Json]) -> Json:
    process = service.process
    names = process.environment.keys()
    command, args = process.entrypoint, process.command
    if command == ():  # the image's entrypoint is taken away: what is left is the command
        command, args = args, None
    lifecycle = {
        "postStart": {"exec": {"command": list(process.post_start)}} if process.post_start else {},
        "preStop": {"exec": {"command": list(process.pre_stop)}} if process.pre_stop else {},
        "stopSignal": process.stop_signal,
    }
    return {
        "name": service.object_name,
        "image": process.image,
        "imagePullPolicy": process.pull_policy,
        "command": [meant(word, names) for word in command or ()],
        "args": [meant(word, names) for word in args or ()],
        "workingDir": process.working_dir,
        "stdin": process.stdin,
        "tty": process.tty,
        "env": [{"name": name, "value": meant(value, names)} for name, value in process.environment.items()],
        "ports": list(_ports(service)),
        "resources": _resources(service),
        "readinessProbe": _probe(service),
        "lifecycle": lifecycle,
        "securityContext": _security(service.rights),
        "volumeMounts": mounts,
    }


def meant(text: str, names: Collection[str]) -> str:
    """The text so that Kubernetes, which replaces `$(NAME)` and `$$`, leaves it as it is."""
    # What Kubernetes cannot resolve it leaves alone, with all that is within the brackets.
    return _REFERENCE.sub(lambda found: f"${found[0]}" if found[1] is None or found[1] in names else found[0], text)


def _ports(service: Service) -> Iterator[Json]:
    for port in service.network.ports:
        yield _without_empty(
            {
                "containerPort": port.target,
                "protocol": port.protocol.upper() if port.protocol != "tcp" else "",
                "hostPort": port.published,
                "hostIP": port.host_ip if port.published else "",
            }
        )


def _resources(service: Service) -> Json:
    """A limit alone would be requested whole by default; in Compose it sets nothing aside."""
    resources = service.deploy.resources
    limits = {"cpu": resources.cpu_limit, "memory": resources.memory_limit}
    requests = {"cpu": resources.cpu_reserved, "memory": resources.memory_reserved}
    return {
        "limits": {name: amount for name, amount in limits.items() if amount},
        "requests": {name: amount or "0" for name, amount in requests.items() if amount or limits[name]},
    }


def _probe(service: Service) -> Json:
    """Compose marks what is unhealthy and lets it run: that is a readiness probe, a liveness probe would restart it."""
    check = service.healthcheck
    if check is None:
        return {}
    names = service.process.environment.keys()
    return {
        "exec": {"command": [meant(word, names) for word in check.command]},
        "periodSeconds": check.interval,
        "timeoutSeconds": check.timeout,
        "failureThreshold": check.retries,
    }


def _security(rights: Rights) -> Json:
    return {
        "runAsUser": rights.user,
        "runAsGroup": rights.group,
        "privileged": rights.privileged,
        "readOnlyRootFilesystem": rights.read_only,
        # A privileged container may always gain privileges: the API refuses the two together.
        "allowPrivilegeEscalation": False if rights.no_new_privileges and not rights.privileged else None,
        "capabilities": {"add": list(rights.add), "drop": list(rights.drop)},
        "seccompProfile": _profile(rights.seccomp),
        "appArmorProfile": _profile(rights.apparmor),
        "seLinuxOptions": rights.se_linux,
        "procMount": "Unmasked" if rights.unmasked else "",
    }


def _profile(name: str) -> Json:
    if not name:
        return {}
    known = {"unconfined": "Unconfined", "docker-default": "RuntimeDefault", "builtin": "RuntimeDefault"}
    return {"type": known[name]} if name in known else {"type": "Localhost", "localhostProfile": name}


def _dns(service: Service) -> Json:
    network = service.network
    return {
        "nameservers": list(network.dns),
        "searches": list(network.dns_search),
        "options": [_without_empty({"name": name, "value": value}) for name, value in network.dns_options.items()],
    }


def _affinity(service: Service) -> Json:
    if not service.deploy.placement:
        return {}
    expressions = [
        {"key": one.label, "operator": one.operator, "values": [one.value]} for one in service.deploy.placement
    ]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


# Volumes


class _Volumes:
    """The pod's volumes by name, each source once."""

    def __init__(self) -> None:
        self.made: dict[str, Json] = {}

    def mount(self, mount: Mount) -> Json:
        name, source, sub_path = _volume(mount)
        number, wanted = 1, name
        while wanted in self.made and self.made[wanted] != {"name": wanted, **source}:
            number += 1
            wanted = f"{name[:58]}-{number}"
        self.made[wanted] = {"name": wanted, **source}
        return _without_empty(
            {
                "name": wanted,
                "mountPath": mount.target,
                "subPath": mount.sub_path or sub_path,
                "readOnly": mount.read_only,
                "mountPropagation": mount.propagation,
            }
        )


def _volume(mount: Mount) -> tuple[str, Json, str]:
    """Name, source, and which part of it is mounted."""
    match mount.source:
        case Claim(name):
            return name, {"persistentVolumeClaim": {"claimName": name}}, ""
        case HostPath(path):
            return object_name(path) or "root", {"hostPath": {"path": path}}, ""
        case Scratch(memory, size):
            empty = {"medium": "Memory" if memory else "", "sizeLimit": quantity(size) if size else ""}
            return object_name(mount.target), {"emptyDir": _without_empty(empty)}, ""
        case Files() as files:
            return _of_files(files)
        case Granted(content, mode):
            mode = _READABLE if mode is None else mode
            items = [{"key": content.key, "path": content.key}]
            name_field = "name" if content.kind == "ConfigMap" else "secretName"
            source = {name_field: content.object_name, "defaultMode": mode, "items": items}
            field = "configMap" if content.kind == "ConfigMap" else "secret"
            return content.object_name, {field: source}, content.key


def _of_files(files: Files) -> tuple[str, Json, str]:
    source: Json = {"name": files.config}
    if files.is_single:
        ((name, content),) = files.contents.items()
        if _is_script(content):
            source["defaultMode"] = _EXECUTABLE
        return files.config, {"configMap": source}, config_key(name)
    if any("/" in name or config_key(name) != name or _is_script(text) for name, text in files.contents.items()):
        source["items"] = [
            {"key": config_key(name), "path": name, **({"mode": _EXECUTABLE} if _is_script(text) else {})}
            for name, text in files.contents.items()
        ]
    return files.config, {"configMap": source}, ""


def _is_script(content: bytes) -> bool:
    """Git's mode is not known of a file that is read; what begins so is meant to be run."""
    return content.startswith(b"#!")


def _digest(mounts: Iterable[Mount]) -> str:
    digest, any_ = hashlib.sha256(), False
    for mount in mounts:
        contents: dict[str, bytes | None] = {}
        if isinstance(mount.source, Files):
            contents.update(mount.source.contents)
        elif isinstance(mount.source, Granted):
            contents[mount.source.content.key] = mount.source.content.data
        for name, content in contents.items():
            if content is not None:
                any_ = True
                for part in (mount.target.encode(), name.encode(), content):
                    digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16] if any_ else ""


_KEPT = frozenset(("enableServiceLinks", "automountServiceAccountToken", "allowPrivilegeEscalation"))
"""Fields whose default is true."""


def _without_empty(value: Json) -> Json:
    """Without what says nothing; zeros stay, and false where it is not the default."""
    kept: Json = {}
    for name, child in value.items():
        if isinstance(child, dict) and name != "emptyDir":
            child = _without_empty(child)
        elif isinstance(child, list):
            child = [_without_empty(one) if isinstance(one, dict) else one for one in child]
        if child is None or (child in ("", [], {}) and name not in ("emptyDir", "value")):
            continue
        if child is False and name not in _KEPT:
            continue
        kept[name] = child
    return kept
