"""The plug-ins that fill in and refuse, over a cluster of a few objects."""

from typing import Any

import pytest

from reconciler.admission import AdmissionSettings, admission, completion
from reconciler.admission.ahead import ahead
from reconciler.admission.amounts import of_pod
from reconciler.admission.quota import usage
from reconciler.store.cache import Cache
from reconciler.store.changes import Refused
from schemas.core.pod import Pod
from schemas.core.podstatus import PodStatus
from tests.unit.reconciler.api.builders import object_of

_SETTINGS = AdmissionSettings()


def _of(kind: str, name: str, **fields: Any) -> Any:  # noqa: ANN401
    namespaced = {} if kind in ("PriorityClass", "StorageClass") else {"namespace": "default"}
    metadata = {"name": name, "uid": f"uid-{kind}-{name}"} | namespaced | fields.pop("metadata", {})
    return object_of({"kind": kind, "metadata": metadata} | fields)


def _pod(name: str = "p", resources: dict[str, Any] | None = None, **spec: Any) -> Pod:  # noqa: ANN401
    container = {"name": "c", "image": "x", "resources": resources or {}}
    found: Pod = _of("Pod", name, spec={"containers": [container]} | spec)
    return found


def _view(*objects: Any) -> Cache:  # noqa: ANN401
    cache = Cache()
    cache.load(objects)
    return cache


OF_A = {"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}


def _refusal(object_: Any, *objects: Any) -> str:  # noqa: ANN401
    try:
        admission(_SETTINGS)(object_, _view(*objects))
    except Refused as error:
        return str(error)
    return ""


def _completed(object_: Any, *objects: Any) -> Any:  # noqa: ANN401
    return completion(_SETTINGS)(object_, _view(*objects))


QUOTA = {"hard": {"pods": "2", "configmaps": "1", "requests.cpu": "1", "limits.memory": "1Gi"}}
FITS = {"requests": {"cpu": "400m"}, "limits": {"memory": "64Mi"}}


def test_a_quota_names_what_is_asked_used_and_allowed() -> None:
    quota = _of("ResourceQuota", "limits", spec=QUOTA)
    assert _refusal(_pod(resources=FITS), quota) == ""
    greedy = {"requests": {"cpu": "2"}, "limits": {"memory": "10Mi"}}
    assert _refusal(_pod(resources=greedy), quota) == (
        'pods "p" is forbidden: exceeded quota: limits, requested: requests.cpu=2, '
        "used: requests.cpu=0, limited: requests.cpu=1"
    )
    present = [_pod(f"p{number}", FITS) for number in range(2)]
    assert _refusal(_pod(resources=FITS), quota, *present) == (
        'pods "p" is forbidden: exceeded quota: limits, requested: pods=1,requests.cpu=400m, '
        "used: pods=2,requests.cpu=800m, limited: pods=2,requests.cpu=1"
    )
    assert _refusal(_of("ConfigMap", "b"), quota, _of("ConfigMap", "a")).endswith(
        "exceeded quota: limits, requested: configmaps=1, used: configmaps=1, limited: configmaps=1"
    )


def test_where_a_quota_is_on_it_every_container_says_what_it_needs() -> None:
    quota = _of("ResourceQuota", "limits", spec=QUOTA)
    assert _refusal(_pod(), quota) == (
        'pods "p" is forbidden: failed quota: limits: must specify limits.memory for: c; requests.cpu for: c'
    )


@pytest.mark.parametrize(
    ("spec", "pod", "counts"),
    [
        pytest.param({"scopes": ["BestEffort"]}, {}, True, id="best effort"),
        pytest.param({"scopes": ["NotBestEffort"]}, {}, False, id="not best effort"),
        pytest.param({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True, id="terminating"),
        pytest.param({"scopes": ["NotTerminating"]}, {"activeDeadlineSeconds": 5}, False, id="not terminating"),
        pytest.param(
            {
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]
                }
            },
            {"priorityClassName": "a"},
            True,
            id="of that priority",
        ),
        pytest.param(
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}},
            {},
            False,
            id="of any priority",
        ),
    ],
)
def test_a_quota_counts_only_what_is_in_its_scope(spec: dict[str, Any], pod: dict[str, Any], *, counts: bool) -> None:
    quota = _of("ResourceQuota", "q", spec={"hard": {"pods": "0"}} | spec)
    refusal = _refusal(_pod(**pod), quota, _of("PriorityClass", "a", value=1))
    assert ("exceeded quota: q" in refusal) is counts


def test_what_has_ended_uses_nothing() -> None:
    ended = object_of({"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}})
    assert "pods" in usage(ended)
    assert usage(Pod(metadata=ended.metadata, spec=ended.spec, status=PodStatus(phase="Failed"))) == {"count/pods": 1}


def test_services_and_claims_use_what_their_type_and_class_say() -> None:
    service = _of("Service", "s", spec={"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2}]})
    assert usage(service) == {
        "count/services": 1,
        "services": 1,
        "services.loadbalancers": 1,
        "services.nodeports": 2,
    }
    spec = {"accessModes": [], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}
    found = usage(_of("PersistentVolumeClaim", "c", spec=spec))
    assert found["fast.storageclass.storage.k8s.io/requests.storage"] == found["requests.storage"] == "1Gi"


def test_containers_that_run_one_after_another_do_not_add_up() -> None:
    def container(name: str, cpu: str, **fields: str) -> dict[str, Any]:
        return {"name": name, "resources": {"requests": {"cpu": cpu}}} | fields

    pod = _pod(
        containers=[container("a", "1"), container("b", "500m")],
        initContainers=[container("big", "3"), container("side", "100m", restartPolicy="Always")],
    )
    assert of_pod(pod, "requests") == {"cpu": "3"}
    assert of_pod(_pod(containers=[container("a", "1")], overhead={"cpu": "50m"}), "requests") == {"cpu": "1050m"}


LIMITS = {
    "limits": [
        {
            "type": "Container",
            "max": {"cpu": "1", "memory": "128Mi"},
            "min": {"cpu": "10m"},
            "default": {"cpu": "200m", "memory": "64Mi"},
            "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
            "maxLimitRequestRatio": {"cpu": "10"},
        },
        {"type": "Pod", "max": {"cpu": "2"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
    ]
}


def test_a_limit_range_gives_to_containers_that_say_nothing() -> None:
    pod = _completed(_pod(), _of("LimitRange", "bounds", spec=LIMITS))
    resources = pod.spec.containers[0].resources
    assert (resources.requests, resources.limits) == (
        {"cpu": "50m", "memory": "64Mi"},
        {"cpu": "200m", "memory": "64Mi"},
    )
    assert pod.metadata.annotations["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
    )


@pytest.mark.parametrize(
    ("resources", "why"),
    [
        pytest.param(
            {"limits": {"cpu": "3", "memory": "1Gi"}},
            "[maximum cpu usage per Container is 1, but limit is 3, "
            "maximum memory usage per Container is 128Mi, but limit is 1Gi, "
            "maximum cpu usage per Pod is 2, but limit is 3]",
            id="too much",
        ),
        pytest.param(
            {"requests": {"cpu": "1m"}, "limits": {"cpu": "1m"}},
            "minimum cpu usage per Container is 10m, but request is 1m",
            id="too little",
        ),
        pytest.param(
            {"requests": {"cpu": "10m"}, "limits": {"cpu": "900m"}},
            "cpu max limit to request ratio per Container is 10, but provided ratio is 90.000000",
            id="too far apart",
        ),
    ],
)
def test_what_is_out_of_bounds_does_not_come_in(resources: dict[str, Any], why: str) -> None:
    assert _refusal(_pod(resources=resources), _of("LimitRange", "b", spec=LIMITS)) == f'pods "p" is forbidden: {why}'


def test_a_claim_is_bounded_too() -> None:
    claim = _of("PersistentVolumeClaim", "big", spec={"accessModes": [], "resources": {"requests": {"storage": "5Gi"}}})
    assert _refusal(claim, _of("LimitRange", "b", spec=LIMITS)) == (
        'persistentvolumeclaims "big" is forbidden: '
        "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Gi"
    )


def test_a_class_gives_a_pod_its_priority() -> None:
    important = _of("PriorityClass", "important", value=1000, preemptionPolicy="Never")
    spec = _completed(_pod(priorityClassName="important"), important).spec
    assert (spec.priority, spec.preemption_policy) == (1000, "Never")
    plain = _completed(_pod()).spec
    assert (plain.priority, plain.preemption_policy) == (0, "PreemptLowerPriority")
    critical = _completed(_pod(priorityClassName="system-node-critical")).spec
    assert critical.priority == 2_000_001_000
    usual = _of("PriorityClass", "usual", value=7, globalDefault=True)
    assert _completed(_pod(), usual).spec.priority_class_name == "usual"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        pytest.param({"priorityClassName": "nosuch"}, "no PriorityClass with name nosuch was found", id="no class"),
        pytest.param(
            {"priority": 5},
            "the integer value of priority (5) must not be provided in pod spec; priority admission controller "
            "computed 0 from the given PriorityClass name",
            id="own number",
        ),
        pytest.param(
            {"preemptionPolicy": "Never"},
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission "
            "controller computed PreemptLowerPriority from the given PriorityClass name",
            id="own policy",
        ),
        pytest.param(
            {"serviceAccountName": "nosuch"},
            'error looking up service account default/nosuch: serviceaccount "nosuch" not found',
            id="no account",
        ),
    ],
)
def test_a_pod_names_what_there_is(spec: dict[str, Any], why: str) -> None:
    assert _refusal(_pod(**spec)) == f'pods "p" is forbidden: {why}'


def test_there_is_one_default_class() -> None:
    first = _of("PriorityClass", "std", value=1, globalDefault=True)
    assert _refusal(_of("PriorityClass", "std2", value=2, globalDefault=True), first) == (
        'priorityclasses.scheduling.k8s.io "std2" is forbidden: '
        "PriorityClass std is already marked as default. Only one default can exist"
    )


def test_a_pod_runs_as_an_account_and_pulls_with_its_secrets() -> None:
    robot = _of("ServiceAccount", "robot", imagePullSecrets=[{"name": "registry"}])
    spec = _completed(_pod(serviceAccountName="robot"), robot).spec
    assert (spec.service_account, spec.image_pull_secrets[0].name) == ("robot", "registry")
    assert _completed(_pod()).spec.service_account_name == "default"


def test_a_claim_without_a_class_has_the_default_one() -> None:
    fast = _of(
        "StorageClass",
        "fast",
        provisioner="x",
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    )
    claim = _of("PersistentVolumeClaim", "c", spec={"accessModes": []})
    assert _completed(claim, fast).spec.storage_class_name == "fast"
    none = _of("PersistentVolumeClaim", "c", spec={"accessModes": [], "storageClassName": ""})
    assert _completed(none, fast).spec.storage_class_name == ""


def test_what_is_there_already_is_left_as_it_came() -> None:
    present = _completed(_pod())
    later = (
        _of("LimitRange", "b", spec=LIMITS),
        _of("PriorityClass", "usual", value=7, globalDefault=True),
        present,
    )
    assert _completed(present, *later) == present


def test_completing_twice_is_completing_once() -> None:
    context = (_of("LimitRange", "b", spec=LIMITS), _of("PriorityClass", "usual", value=7, globalDefault=True))
    once = _completed(_pod(), *context)
    assert _completed(once, *context) == once


def test_a_controller_hears_ahead_how_many_of_its_pods_come_in() -> None:
    quota = _of("ResourceQuota", "q", spec={"hard": {"pods": "2"}})
    pods = [_pod(f"p{number}") for number in range(4)]
    let_in, why = ahead(pods, _view(quota))
    assert [pod.metadata.name for pod in let_in] == ["p0", "p1"]
    assert 'pods "p2" is forbidden: exceeded quota: q' in why
    assert ahead(pods, _view()) == (pods, "")


MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def test_every_pod_gets_the_token_of_its_account_where_nothing_else_is_mounted() -> None:
    containers = [
        {"name": "c", "image": "x"},
        {"name": "d", "image": "x", "volumeMounts": [{"name": "own", "mountPath": MOUNT}]},
    ]
    found = _completed(_pod(containers=containers, volumes=[{"name": "own", "emptyDir": {}}]))
    own, token = found.spec.volumes
    assert (own.name, token.name[:-5], len(token.name)) == ("own", "kube-api-access-", 21)
    sources = token.projected.sources
    assert (sources[0].service_account_token.expiration_seconds, sources[1].config_map.name) == (
        3607,
        "kube-root-ca.crt",
    )
    assert sources[2].downward_api.items[0].path == "namespace"
    assert [[mount.name for mount in one.volume_mounts] for one in found.spec.containers] == [[token.name], ["own"]]
    assert _completed(found) == found


@pytest.mark.parametrize(
    ("pod", "account", "mounted"),
    [
        pytest.param({}, {}, True, id="nobody says"),
        pytest.param({}, {"automountServiceAccountToken": False}, False, id="the account says no"),
        pytest.param(
            {"automountServiceAccountToken": True}, {"automountServiceAccountToken": False}, True, id="the pod says yes"
        ),
        pytest.param({"automountServiceAccountToken": False}, {}, False, id="the pod says no"),
    ],
)
def test_a_token_is_mounted_unless_pod_or_account_say_no(
    pod: dict[str, Any], account: dict[str, Any], mounted: bool
) -> None:
    found = _completed(_pod(**pod), _of("ServiceAccount", "default", **account))
    assert bool(found.spec.volumes) == mounted


def test_a_pod_that_is_there_gets_no_volume_later() -> None:
    there = _pod()
    assert _completed(there, there).spec.volumes == ()
