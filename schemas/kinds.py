"""The kinds that Wherry serves: group, version, names, scope and type."""

from schemas.apps import ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet
from schemas.autoscaling import HorizontalPodAutoscaler
from schemas.batch import CronJob, Job
from schemas.certificates import CertificateSigningRequest
from schemas.coordination import Lease
from schemas.core.config import ConfigMap, Namespace, Secret, ServiceAccount
from schemas.core.endpoints import Endpoints
from schemas.core.event import Event
from schemas.core.node import Node
from schemas.core.persistence import PersistentVolume, PersistentVolumeClaim
from schemas.core.pod import Pod
from schemas.core.quota import LimitRange, ResourceQuota
from schemas.core.replication import PodTemplate, ReplicationController
from schemas.core.service import Service
from schemas.csi import CSIDriver, VolumeAttachment
from schemas.discovery import EndpointSlice
from schemas.meta import Object, Record
from schemas.networking import Ingress, IngressClass, NetworkPolicy
from schemas.node import RuntimeClass
from schemas.policy import PodDisruptionBudget
from schemas.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from schemas.scheduling import PriorityClass
from schemas.storage import StorageClass


class Kind(Record, frozen=True, kw_only=True):
    """One kind of object, as API discovery describes it."""

    name: str
    group: str = ""
    version: str = "v1"
    plural: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    type: type[Object]

    @property
    def api_version(self) -> str:
        """`v1` for the core group, `group/version` for the others."""
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS: tuple[Kind, ...] = (
    Kind(name="ConfigMap", plural="configmaps", short_names=("cm",), type=ConfigMap),
    Kind(name="Endpoints", plural="endpoints", short_names=("ep",), type=Endpoints),
    Kind(name="Event", plural="events", short_names=("ev",), type=Event),
    Kind(name="LimitRange", plural="limitranges", short_names=("limits",), type=LimitRange),
    Kind(name="Namespace", plural="namespaces", short_names=("ns",), namespaced=False, type=Namespace),
    Kind(name="Node", plural="nodes", short_names=("no",), namespaced=False, type=Node),
    Kind(
        name="PersistentVolume",
        plural="persistentvolumes",
        short_names=("pv",),
        namespaced=False,
        type=PersistentVolume,
    ),
    Kind(
        name="PersistentVolumeClaim", plural="persistentvolumeclaims", short_names=("pvc",), type=PersistentVolumeClaim
    ),
    Kind(name="Pod", plural="pods", short_names=("po",), categories=("all",), type=Pod),
    Kind(name="PodTemplate", plural="podtemplates", type=PodTemplate),
    Kind(
        name="ReplicationController",
        plural="replicationcontrollers",
        short_names=("rc",),
        categories=("all",),
        type=ReplicationController,
    ),
    Kind(name="ResourceQuota", plural="resourcequotas", short_names=("quota",), type=ResourceQuota),
    Kind(name="Secret", plural="secrets", type=Secret),
    Kind(name="Service", plural="services", short_names=("svc",), categories=("all",), type=Service),
    Kind(name="ServiceAccount", plural="serviceaccounts", short_names=("sa",), type=ServiceAccount),
    Kind(name="ControllerRevision", group="apps", plural="controllerrevisions", type=ControllerRevision),
    Kind(name="DaemonSet", group="apps", plural="daemonsets", short_names=("ds",), categories=("all",), type=DaemonSet),
    Kind(
        name="Deployment",
        group="apps",
        plural="deployments",
        short_names=("deploy",),
        categories=("all",),
        type=Deployment,
    ),
    Kind(
        name="ReplicaSet", group="apps", plural="replicasets", short_names=("rs",), categories=("all",), type=ReplicaSet
    ),
    Kind(
        name="StatefulSet",
        group="apps",
        plural="statefulsets",
        short_names=("sts",),
        categories=("all",),
        type=StatefulSet,
    ),
    Kind(
        name="HorizontalPodAutoscaler",
        group="autoscaling",
        version="v2",
        plural="horizontalpodautoscalers",
        short_names=("hpa",),
        categories=("all",),
        type=HorizontalPodAutoscaler,
    ),
    Kind(name="CronJob", group="batch", plural="cronjobs", short_names=("cj",), categories=("all",), type=CronJob),
    Kind(name="Job", group="batch", plural="jobs", categories=("all",), type=Job),
    Kind(
        name="CertificateSigningRequest",
        group="certificates.k8s.io",
        plural="certificatesigningrequests",
        short_names=("csr",),
        namespaced=False,
        type=CertificateSigningRequest,
    ),
    Kind(name="Lease", group="coordination.k8s.io", plural="leases", type=Lease),
    Kind(name="EndpointSlice", group="discovery.k8s.io", plural="endpointslices", type=EndpointSlice),
    Kind(name="IngressClass", group="networking.k8s.io", plural="ingressclasses", namespaced=False, type=IngressClass),
    Kind(name="Ingress", group="networking.k8s.io", plural="ingresses", short_names=("ing",), type=Ingress),
    Kind(
        name="NetworkPolicy",
        group="networking.k8s.io",
        plural="networkpolicies",
        short_names=("netpol",),
        type=NetworkPolicy,
    ),
    Kind(name="RuntimeClass", group="node.k8s.io", plural="runtimeclasses", namespaced=False, type=RuntimeClass),
    Kind(
        name="PodDisruptionBudget",
        group="policy",
        plural="poddisruptionbudgets",
        short_names=("pdb",),
        type=PodDisruptionBudget,
    ),
    Kind(
        name="ClusterRole", group="rbac.authorization.k8s.io", plural="clusterroles", namespaced=False, type=ClusterRole
    ),
    Kind(
        name="ClusterRoleBinding",
        group="rbac.authorization.k8s.io",
        plural="clusterrolebindings",
        namespaced=False,
        type=ClusterRoleBinding,
    ),
    Kind(name="Role", group="rbac.authorization.k8s.io", plural="roles", type=Role),
    Kind(name="RoleBinding", group="rbac.authorization.k8s.io", plural="rolebindings", type=RoleBinding),
    Kind(
        name="PriorityClass",
        group="scheduling.k8s.io",
        plural="priorityclasses",
        short_names=("pc",),
        namespaced=False,
        type=PriorityClass,
    ),
    Kind(name="CSIDriver", group="storage.k8s.io", plural="csidrivers", namespaced=False, type=CSIDriver),
    Kind(
        name="StorageClass",
        group="storage.k8s.io",
        plural="storageclasses",
        short_names=("sc",),
        namespaced=False,
        type=StorageClass,
    ),
    Kind(
        name="VolumeAttachment",
        group="storage.k8s.io",
        plural="volumeattachments",
        namespaced=False,
        type=VolumeAttachment,
    ),
)

BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
BY_GROUP_VERSION_KIND: dict[tuple[str, str], Kind] = {(kind.api_version, kind.name): kind for kind in KINDS}


def find(word: str) -> Kind | None:
    """The kind that a person means by `pods`, `pod`, `po` or `Pod` (in any case), also with `.group` behind it."""
    word, _, group = word.lower().partition(".")
    for kind in KINDS:
        if word in (kind.plural, kind.name.lower(), *kind.short_names) and (not group or group == kind.group):
            return kind
    return None
