"""The pods of `test_settings`: between them they use every setting that its table has a row for."""

from pathlib import Path
from typing import Any

from nodeagent.devices.declared import DeviceMount, DeviceResource
from schemas.core.pod import Pod
from schemas.core.volume import HostPathVolumeSource
from schemas.messages import ClaimedVolume, Config
from tests.lab.containerd import BUSYBOX, BUSYBOX_2
from tests.unit.nodeagent.pods.builders import pod as any_pod

WAIT = ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
NO_MKDIR = (
    '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'
)
"""A seccomp profile of the node."""

CONFIGS = (
    Config("ConfigMap", "default", "settings", {"colour": b"red", "size": b"9"}),
    Config("Secret", "default", "key", {"password": b"sesame"}),
    Config("Token", "default", "files", {"3600:vault": b"a.b.c"}),
    Config("RuntimeClass", "", "usual", {"handler": b"runc"}),
)


def devices(folder: Path) -> tuple[DeviceResource, ...]:
    return (
        DeviceResource(
            resource="wherry.dev/full",
            paths=("/dev/ful?",),
            also=("/dev/zero",),
            env={"FULL_DEVICES": "$(DEVICES)"},
            mounts=(DeviceMount(host_path=str(folder / "firmware"), container_path="/firmware"),),
            groups=(29,),
        ),
    )


def volume_of_a_device(path: str) -> Config:
    return Config("PersistentVolumeClaim", "default", "disk", volume=ClaimedVolume(name="pv", local=path, block=True))


def volume_of_the_host(path: Path) -> Config:
    source = HostPathVolumeSource(path=str(path), type="Directory")
    return Config("PersistentVolumeClaim", "default", "data", volume=ClaimedVolume(name="pv2", host_path=source))


def main(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - as YAML
    return {"name": "main", "image": BUSYBOX, "command": WAIT, **more}


def pod(name: str, *containers: dict[str, Any], **spec: Any) -> Pod:  # noqa: ANN401 - as YAML
    metadata = {"labels": {"app": "x", "tier": "y"}, "annotations": {"note": "hello"}}
    spec = {"terminationGracePeriodSeconds": 1, **spec}
    return any_pod(name, name, containers=list(containers or [main()]), metadata=metadata, **spec)


def plain() -> Pod:
    return pod("plain")


def confined() -> Pod:
    """As little as a container can have; Guaranteed."""
    amounts = {"cpu": "250m", "memory": "64Mi"}
    context = {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    settings = {"configMapKeyRef": {"name": "settings", "key": "colour"}}
    file = {"fileKeyRef": {"volumeName": "handed-on", "path": "run/made.env", "key": "MADE"}}
    env = [
        {"name": "PLAIN", "value": "text"},
        {"name": "TWICE", "value": "$(PLAIN)-$(PLAIN)-$$(PLAIN)-$(NONE)"},
        {"name": "COLOUR", "valueFrom": settings},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "key", "key": "password"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "MADE", "valueFrom": file},
    ]
    container = main(
        command=["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done", "$(PLAIN)"],
        args=["$(COLOUR)", "$$(COLOUR)"],
        workingDir="/bin",
        env=env,
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "CFG_"}],
        resources={"limits": amounts, "requests": amounts},
        securityContext=context,
        volumeMounts=[{"name": "handed-on", "mountPath": "/handed"}],
        terminationMessagePath="/tmp/last-words",
    )
    writer = {
        "name": "writer",
        "image": BUSYBOX,
        "command": ["sh", "-c", "mkdir /out/run; printf \"# made\\nMADE='in two\\nlines'\\n\" > /out/run/made.env"],
        "resources": {"limits": amounts, "requests": amounts},
        "volumeMounts": [{"name": "handed-on", "mountPath": "/out"}],
    }
    return pod(
        "confined",
        container,
        initContainers=[writer],
        volumes=[{"name": "handed-on", "emptyDir": {}}],
        securityContext={
            "runAsUser": 1000,
            "runAsGroup": 3000,
            "fsGroup": 2000,
            "supplementalGroups": [4000],
            "sysctls": [
                {"name": "net.ipv4.ip_unprivileged_port_start", "value": "81"},
                {"name": "kernel.shm_rmid_forced", "value": "1"},
                {"name": "net.core.somaxconn", "value": "777"},
            ],
        },
    )


def unconfined() -> Pod:
    """Burstable; each container loosens, or tightens, something else."""
    return pod(
        "unconfined",
        main(
            resources={"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}},
            securityContext={"seccompProfile": {"type": "Unconfined"}, "procMount": "Unmasked"},
            tty=True,
            stdin=True,
        ),
        main(name="profile", securityContext={"seccompProfile": {"type": "Localhost", "localhostProfile": "no.json"}}),
        main(name="device", resources={"limits": {"wherry.dev/full": 1}}),
        main(name="adds", securityContext={"capabilities": {"add": ["SYS_TIME"], "drop": ["CHOWN"]}}),
        runtimeClassName="usual",
    )


def whole() -> Pod:
    """With resources of the pod as a whole, and names of its own."""
    return pod(
        "whole",
        resources={"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "300m", "memory": "80Mi"}},
        shareProcessNamespace=True,
        hostname="boat",
        subdomain="river",
        setHostnameAsFQDN=True,
        hostAliases=[{"ip": "192.0.2.7", "hostnames": ["quay", "dock"]}],
        dnsPolicy="None",
        dnsConfig={
            "nameservers": ["192.0.2.53"],
            "searches": ["harbour.example"],
            "options": [{"name": "ndots", "value": "3"}, {"name": "edns0"}],
        },
    )


def of_the_host() -> Pod:
    return pod("host", main(securityContext={"privileged": True}), hostNetwork=True, hostPID=True, hostIPC=True)


def with_files(host: Path) -> Pod:
    """Every kind of volume. `host`: a folder of the node with `file`, `socket`, `tree/` and, mounted, `tree/sub/`."""
    sources: dict[str, dict[str, Any]] = {
        "disk": {"emptyDir": {}},
        "memory": {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        "config": {"configMap": {"name": "settings", "defaultMode": 0o400}},
        "items": {"configMap": {"name": "settings", "items": [{"key": "colour", "path": "a/b", "mode": 0o440}]}},
        "secret": {"secret": {"secretName": "key"}},
        "optional": {"secret": {"secretName": "none", "optional": True}},
        "downward": {
            "downwardAPI": {
                "items": [
                    {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
                    {
                        "path": "cpu",
                        "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"},
                    },
                ]
            }
        },
        "projected": {
            "projected": {
                "defaultMode": 0o444,
                "sources": [
                    {"configMap": {"name": "settings", "items": [{"key": "size", "path": "size"}]}},
                    {"secret": {"name": "key"}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                    {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 3600}},
                ],
            }
        },
        "folder": {"hostPath": {"path": str(host / "tree"), "type": "Directory"}},
        "file": {"hostPath": {"path": str(host / "file"), "type": "File"}},
        "new-folder": {"hostPath": {"path": str(host / "made/deep"), "type": "DirectoryOrCreate"}},
        "new-file": {"hostPath": {"path": str(host / "made.txt"), "type": "FileOrCreate"}},
        "socket": {"hostPath": {"path": str(host / "socket"), "type": "Socket"}},
        "character": {"hostPath": {"path": "/dev/full", "type": "CharDevice"}},
        "claimed": {"persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
        "image": {"image": {"reference": BUSYBOX_2}},
        "block": {"persistentVolumeClaim": {"claimName": "disk", "readOnly": True}},
    }
    paths = [name for name in sources if name != "block"]
    mounts: list[dict[str, Any]] = [{"name": name, "mountPath": f"/v/{name}"} for name in paths]
    mounts += [
        {"name": "folder", "mountPath": "/v/read-only", "readOnly": True},
        {"name": "folder", "mountPath": "/v/all-read-only", "readOnly": True, "recursiveReadOnly": "Enabled"},
        {"name": "folder", "mountPath": "/v/follows", "mountPropagation": "HostToContainer"},
        {"name": "image", "mountPath": "/v/image-part", "subPath": "bin"},
        {"name": "disk", "mountPath": "/v/part", "subPath": "one/two"},
        {"name": "disk", "mountPath": "/v/named", "subPathExpr": "of-$(WHO)"},
    ]
    container = main(
        env=[{"name": "WHO", "value": "me"}],
        resources={"limits": {"cpu": "300m"}, "requests": {"cpu": "300m"}},
        securityContext={"privileged": True},
        volumeMounts=[*mounts, {"name": "folder", "mountPath": "/v/both", "mountPropagation": "Bidirectional"}],
        volumeDevices=[{"name": "block", "devicePath": "/dev/the-disk"}],
    )
    return pod(
        "files",
        container,
        volumes=[{"name": name, **source} for name, source in sources.items()],
        securityContext={"fsGroup": 2000},
    )


def huge() -> Pod:
    """No page of it is used: there may be none."""
    return pod(
        "huge",
        main(volumeMounts=[{"name": "huge", "mountPath": "/huge"}]),
        volumes=[{"name": "huge", "emptyDir": {"medium": "HugePages-2Mi"}}],
    )
