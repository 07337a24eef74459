"""A spec as Kubernetes' own structures print it: what the API server quotes where one may not change.

Its messages show the fields of its internal types, in their order and with all that is not set, and of two versions
the lines that differ. People's messages name the fields (`schemas.validation`); programs, and those who compare, get
these. Pure. The types are those of https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/types.go.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import structs

from schemas.batch import Job
from schemas.core.container import Container
from schemas.core.persistence import PersistentVolumeClaim
from schemas.core.pod import Pod, PodSpec, PodTemplateSpec
from schemas.faults import Fault
from schemas.meta import Object

_CONTAINER = """Name Image Command? Args? WorkingDir Ports[ContainerPort EnvFrom[EnvFromSource Env[EnvVar
 Resources:ResourceRequirements ResizePolicy[ContainerResizePolicy RestartPolicy? RestartPolicyRules[RestartRule
 VolumeMounts[VolumeMount VolumeDevices[VolumeDevice LivenessProbe*Probe ReadinessProbe*Probe StartupProbe*Probe
 Lifecycle*Lifecycle TerminationMessagePath TerminationMessagePolicy ImagePullPolicy SecurityContext*SecurityContext
 Stdin! StdinOnce! TTY!"""
_HANDLER = "Exec*Command HTTPGet*HTTPGet TCPSocket*TCPSocket"
_ITEMS = "Items[KeyToPath DefaultMode? Optional?"
_SOFT = "PreferredDuringSchedulingIgnoredDuringExecution"
TYPES = {
    "PodSpec": """Volumes[Volume InitContainers[Container Containers[Container EphemeralContainers[EphemeralContainer
 RestartPolicy TerminationGracePeriodSeconds? ActiveDeadlineSeconds? DNSPolicy NodeSelector? ServiceAccountName
 AutomountServiceAccountToken? NodeName SecurityContext*PodSecurityContext ImagePullSecrets[Named Hostname Subdomain
 SetHostnameAsFQDN? Affinity*Affinity SchedulerName Tolerations[Toleration HostAliases[HostAlias PriorityClassName
 Priority? PreemptionPolicy? DNSConfig*PodDNSConfig ReadinessGates[ReadinessGate RuntimeClassName? Overhead?
 EnableServiceLinks? TopologySpreadConstraints[SpreadConstraint OS*Named SchedulingGates[Named
 ResourceClaims[ResourceClaim Resources*ResourceRequirements HostnameOverride? SchedulingGroup?""",
    "Affinity": "NodeAffinity*NodeAffinity PodAffinity*PodAffinity PodAntiAffinity*PodAffinity",
    "Capabilities": "Add? Drop?",
    "Command": "Command?",
    "ConfigMapVolume": f"Name {_ITEMS}",
    "Container": _CONTAINER,
    "ContainerPort": "Name HostPort# ContainerPort# Protocol HostIP",
    "ContainerResizePolicy": "ResourceName RestartPolicy",
    "DNSOption": "Name Value?",
    "DownwardAPI": "Items[DownwardFile DefaultMode?",
    "DownwardAPIProjection": "Items[DownwardFile",
    "DownwardFile": "Path FieldRef*FieldRef ResourceFieldRef*ResourceFieldRef Mode?",
    "EmptyDir": "Medium SizeLimit?",
    "EnvFromSource": "Prefix ConfigMapRef*OptionalName SecretRef*OptionalName",
    "EnvVar": "Name Value ValueFrom*EnvVarSource",
    "EnvVarSource": """FieldRef*FieldRef ResourceFieldRef*ResourceFieldRef ConfigMapKeyRef*KeyRef SecretKeyRef*KeyRef
 FileKeyRef*FileKeyRef""",
    "EphemeralContainer": f"{_CONTAINER} TargetContainerName",
    "FieldRef": "APIVersion FieldPath",
    "FileKeyRef": "VolumeName Path Key Optional?",
    "GRPC": "Port# Service?",
    "HTTPGet": "Path Port Host Scheme HTTPHeaders[NameValue",
    "HostAlias": "IP Hostnames?",
    "HostPath": "Path Type?",
    "Image": "Reference PullPolicy",
    "KeyRef": "Name Key Optional?",
    "KeyToPath": "Key Path Mode?",
    "Lifecycle": "PostStart*LifecycleHandler PreStop*LifecycleHandler StopSignal?",
    "LifecycleHandler": f"{_HANDLER} Sleep*Sleep",
    "LocalReference": "APIGroup? Kind Name",
    "NFS": "Server Path ReadOnly!",
    "NameValue": "Name Value",
    "Named": "Name",
    "NodeAffinity": f"RequiredDuringSchedulingIgnoredDuringExecution*NodeSelector {_SOFT}[PreferredNodes",
    "NodeSelector": "NodeSelectorTerms[NodeTerm",
    "NodeTerm": "MatchExpressions[Requirement MatchFields[Requirement",
    "OptionalName": "Name Optional?",
    "PersistentVolumeClaim": "ClaimName ReadOnly!",
    "PersistentVolumeClaimSpec": """AccessModes? Selector? Resources:VolumeResources VolumeName StorageClassName?
 VolumeMode? DataSource*LocalReference DataSourceRef*Reference VolumeAttributesClassName?""",
    "PodAffinity": f"RequiredDuringSchedulingIgnoredDuringExecution[PodAffinityTerm {_SOFT}[PreferredPods",
    "PodAffinityTerm": """LabelSelector? Namespaces? TopologyKey NamespaceSelector? MatchLabelKeys?
 MismatchLabelKeys?""",
    "PodCertificate": """SignerName KeyType MaxExpirationSeconds? CredentialBundlePath KeyPath CertificateChainPath
 UserAnnotations?""",
    "PodDNSConfig": "Nameservers? Searches? Options[DNSOption",
    "PodSecurityContext": """HostNetwork! HostPID! HostIPC! ShareProcessNamespace? HostUsers? SELinuxOptions*SELinux
 WindowsOptions? RunAsUser? RunAsGroup? RunAsNonRoot? SupplementalGroups? SupplementalGroupsPolicy? FSGroup?
 FSGroupChangePolicy? Sysctls[NameValue SeccompProfile*Profile AppArmorProfile*Profile SELinuxChangePolicy?""",
    "PreferredNodes": "Weight# Preference:NodeTerm",
    "PreferredPods": "Weight# PodAffinityTerm:PodAffinityTerm",
    "Probe": f"""{_HANDLER} GRPC*GRPC InitialDelaySeconds# TimeoutSeconds# PeriodSeconds# SuccessThreshold#
 FailureThreshold# TerminationGracePeriodSeconds?""",
    "Profile": "Type LocalhostProfile?",
    "Projected": "Sources[Projection DefaultMode?",
    "Projection": """Secret*ProjectedName DownwardAPI*DownwardAPIProjection ConfigMap*ProjectedName
 ServiceAccountToken*ServiceAccountToken ClusterTrustBundle*TrustBundle PodCertificate*PodCertificate""",
    "ProjectedName": "Name Items[KeyToPath Optional?",
    "ReadinessGate": "ConditionType",
    "Requirement": "Key Operator Values?",
    "ResourceClaim": "Name ResourceClaimName? ResourceClaimTemplateName?",
    "ResourceFieldRef": "ContainerName Resource Divisor",
    "ResourceRequest": "Name Request",
    "ResourceRequirements": "Limits? Requests? Claims[ResourceRequest",
    "Reference": "APIGroup? Kind Name Namespace?",
    "RestartRule": "Action ExitCodes*ExitCodes",
    "ExitCodes": "Operator Values?",
    "SELinux": "User Role Type Level",
    "Secret": f"SecretName {_ITEMS}",
    "SecurityContext": """Capabilities*Capabilities Privileged? SELinuxOptions*SELinux WindowsOptions? RunAsUser?
 RunAsGroup? RunAsNonRoot? ReadOnlyRootFilesystem? AllowPrivilegeEscalation? ProcMount? SeccompProfile*Profile
 AppArmorProfile*Profile""",
    "ServiceAccountToken": "Audience ExpirationSeconds# Path",
    "Sleep": "Seconds#",
    "SpreadConstraint": """MaxSkew# TopologyKey WhenUnsatisfiable LabelSelector? MinDomains? NodeAffinityPolicy?
 NodeTaintsPolicy? MatchLabelKeys?""",
    "TCPSocket": "Port Host",
    "Toleration": "Key Operator Value Effect TolerationSeconds?",
    "TrustBundle": "Name? SignerName? LabelSelector? Optional? Path",
    "Volume": """Name HostPath*HostPath EmptyDir*EmptyDir GCEPersistentDisk? AWSElasticBlockStore? GitRepo?
 Secret*Secret NFS*NFS ISCSI? Glusterfs? PersistentVolumeClaim*PersistentVolumeClaim RBD? Quobyte? FlexVolume? Cinder?
 CephFS? Flocker? DownwardAPI*DownwardAPI FC? AzureFile? ConfigMap*ConfigMapVolume VsphereVolume? AzureDisk?
 PhotonPersistentDisk? Projected*Projected PortworxVolume? ScaleIO? StorageOS? CSI*CSI Ephemeral? Image*Image""",
    "CSI": "Driver ReadOnly? FSType? VolumeAttributes? NodePublishSecretRef*Named",
    "VolumeDevice": "Name DevicePath",
    "VolumeResources": "Limits? Requests?",
    "VolumeMount": "Name ReadOnly! RecursiveReadOnly? MountPath SubPath MountPropagation? SubPathExpr",
}
"""The fields of each type. `?` is null where it is not set, `!` false, `#` 0, `*T` a T or null, `[T` a list of them
or null, `:T` a T in any case, and what has no mark a text."""
_ZERO: Mapping[str, Any] = {"?": None, "!": False, "#": 0, "*": None, "[": None, "": ""}
_OF_THE_HOST = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
"""Fields of the spec that are part of the security context there."""
_CHANGED, _CUT = "; changed: ", "{…}"
_FIXED = "Forbidden: spec is immutable"


def in_full(faults: Iterable[Fault], new: Object, old: Object) -> Iterator[Fault]:
    """The faults, those of a spec that may not change in the API server's words."""
    for fault in faults:
        message = fault.message
        if isinstance(new, Pod) and isinstance(old, Pod):
            if fault.path == ("spec",) and _CHANGED in message:
                message = f"{message.partition(_CHANGED)[0]}\n{_diff(_spec(old.spec), _spec(_but(new.spec, old.spec)))}"
            elif fault.path == ("spec", "ephemeralContainers") and message.endswith("may not be changed"):
                name = message.split('"')[1]
                message += f"\n{_diff(*(_ephemeral(pod, name) for pod in (old, new)))}"
        elif isinstance(new, PersistentVolumeClaim) and isinstance(old, PersistentVolumeClaim):
            if message.startswith(_FIXED):
                message += f"\n{_diff(_claim(old, old), _claim(new, old))}"
        elif isinstance(new, Job) and _CUT in message:
            message = message.partition(_CHANGED)[0].replace(_CUT, _written(_template(new.spec.template)))
        yield fault if message is fault.message else structs.replace(fault, message=message)


def _spec(spec: PodSpec) -> dict[str, Any]:
    document = msgspec.to_builtins(spec)
    host = {name: document[name] for name in _OF_THE_HOST if name in document}
    return _printed("PodSpec", document | {"securityContext": document.get("securityContext", {}) | host})


def _claim(claim: PersistentVolumeClaim, old: PersistentVolumeClaim) -> dict[str, Any]:
    """Its spec; of one that is bound, what may change is as it was."""
    document = msgspec.to_builtins(claim.spec)
    if old.status.phase == "Bound":
        document.pop("volumeAttributesClassName", None)
        if claim.spec.resources is not None and old.spec.resources is not None:
            document["resources"] = msgspec.to_builtins(
                structs.replace(claim.spec.resources, requests=old.spec.resources.requests)
            )
    return _printed("PersistentVolumeClaimSpec", document)


def _ephemeral(pod: Pod, name: str) -> dict[str, Any]:
    [found] = [one for one in pod.spec.ephemeral_containers if one.name == name]
    return _printed("EphemeralContainer", msgspec.to_builtins(found))


def _template(template: PodTemplateSpec) -> dict[str, Any]:
    spec = template.spec or PodSpec(containers=())
    return {**msgspec.to_builtins(template.metadata), "Spec": _spec(spec)}


def _printed(type_: str, document: Mapping[str, Any]) -> dict[str, Any]:
    given = {name.lower(): value for name, value in document.items()}
    return dict(_fields(type_, given))


def _fields(type_: str, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for written in TYPES[type_].split():
        name = written.rstrip("?!#")
        mark, below = written[len(name) :], ""
        for sign in "*[:":
            if sign in name:
                name, mark, below = *name.partition(sign)[:2], name.partition(sign)[2]
        value = given.get(name.lower())
        if not below:
            yield name, _ZERO[mark] if value is None else value
        elif mark == "[":
            yield name, [_printed(below, one) for one in value] if value else None
        else:
            yield name, _printed(below, value or {}) if value is not None or mark == ":" else None


def _but(new: PodSpec, old: PodSpec) -> PodSpec:
    """The new one with what may change as it was."""
    return structs.replace(
        new,
        containers=_with_images(new.containers, old.containers),
        init_containers=_with_images(new.init_containers, old.init_containers),
        active_deadline_seconds=old.active_deadline_seconds,
        tolerations=old.tolerations,
        scheduling_gates=old.scheduling_gates,
    )


def _with_images(new: tuple[Container, ...], old: tuple[Container, ...]) -> tuple[Container, ...]:
    if len(new) != len(old):
        return new
    return tuple(structs.replace(one, image=before.image) for one, before in zip(new, old, strict=True))


def _diff(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Of their lines, as `diff -u` has it, without the names of files."""
    before, after = (_escaped(json.dumps(one, indent=1, ensure_ascii=False)).split("\n") for one in (old, new))
    return "".join(f"{line}\n" for line in list(difflib.unified_diff(before, after, lineterm=""))[2:])


def _written(document: dict[str, Any]) -> str:
    return _escaped(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def _escaped(text: str) -> str:
    """As Go writes JSON: fit to stand in a page."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
