import pytest

from reconciler.admission import podsecurity, runtimeclass
from reconciler.store.cache import Cache
from schemas.core.config import Namespace
from schemas.decode import decode
from schemas.defaults import defaulted
from schemas.kinds import BY_NAME
from schemas.meta import Object, ObjectMeta
from schemas.validation import validate

ENFORCE = "pod-security.kubernetes.io/enforce"
SOUND = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def cluster(**labels: str) -> Cache:
    cache = Cache()
    given = {f"pod-security.kubernetes.io/{mode.replace('_', '-')}": level for mode, level in labels.items()}
    cache.load([Namespace(metadata=ObjectMeta(name="shop", uid="n", labels=given))])
    return cache


def made(kind: str, spec: dict[str, object]) -> Object:
    document = {"apiVersion": BY_NAME[kind].api_version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}}
    found = decode(BY_NAME[kind], document | {"spec": spec}, "Strict").object
    assert found is not None
    return defaulted(found)


def pod(context: dict[str, object] | None = None, /, **spec: object) -> Object:
    container = {"name": "c", "image": "x", **({"securityContext": context} if context is not None else {})}
    return made("Pod", {"containers": [container], **spec})


def test_a_namespace_without_labels_lets_everything_in() -> None:
    assert podsecurity.check(pod({"privileged": True}, hostNetwork=True), cluster()) == ""


def test_a_plain_pod_lacks_what_the_restricted_level_asks_for() -> None:
    assert podsecurity.check(pod(), cluster(enforce="restricted")) == (
        'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set '
        'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set '
        'securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )


def test_a_pod_that_gives_up_its_rights_comes_in() -> None:
    assert podsecurity.check(pod(SOUND), cluster(enforce="restricted")) == ""


@pytest.mark.parametrize(
    ("subject", "detail"),
    [
        pytest.param(pod({"privileged": True}), 'privileged (container "c" must not set', id="privileged"),
        pytest.param(pod(hostPID=True, hostIPC=True), "host namespaces (hostPID=true, hostIPC=true)", id="namespaces"),
        pytest.param(
            pod({"capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}}),
            'non-default capabilities (container "c" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
            id="capability",
        ),
        pytest.param(
            pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), 'hostPath volumes (volume "v")', id="host path"
        ),
        pytest.param(
            made("Pod", {"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 1, "hostPort": 80}]}]}),
            'hostPort (container "c" uses hostPort 80)',
            id="host port",
        ),
        pytest.param(
            pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            "forbidden sysctls (kernel.msgmax)",
            id="sysctl",
        ),
        pytest.param(
            pod({"seccompProfile": {"type": "Unconfined"}}),
            'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
            id="seccomp",
        ),
        pytest.param(
            pod({"procMount": "Unmasked"}),
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
            id="proc",
        ),
        pytest.param(
            pod({"seLinuxOptions": {"type": "spc_t", "user": "u"}}),
            'container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set',
            id="selinux",
        ),
    ],
)
def test_the_baseline_names_what_it_forbids(subject: Object, detail: str) -> None:
    assert detail in podsecurity.check(subject, cluster(enforce="baseline"))


@pytest.mark.parametrize(
    ("subject", "detail"),
    [
        pytest.param(
            pod(SOUND | {"runAsUser": 0}), 'runAsUser=0 (container "c" must not set runAsUser=0)', id="user 0"
        ),
        pytest.param(
            pod(SOUND, securityContext={"runAsNonRoot": False}),
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
            id="root",
        ),
        pytest.param(
            pod(SOUND, volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
            'restricted volume types (volume "v" uses restricted volume type "hostPath")',
            id="volume",
        ),
    ],
)
def test_the_restricted_level_forbids_more(subject: Object, detail: str) -> None:
    assert podsecurity.check(subject, cluster(enforce="restricted")) == (
        f'violates PodSecurity "restricted:latest": {detail}'
    )


def test_a_warning_is_for_workloads_too_and_names_the_version() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"hostNetwork": True, "containers": [{"name": "c"}]}}
    template["spec"]["containers"][0]["image"] = "x"  # type: ignore[index]
    deployment = made("Deployment", {"selector": {"matchLabels": {"a": "b"}}, "template": template})
    view = cluster(warn="baseline", warn_version="v1.30")
    assert podsecurity.warnings(deployment, view) == (
        'would violate PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)',
    )
    assert podsecurity.check(deployment, cluster(enforce="baseline")) == ""
    assert podsecurity.warnings(pod(), view) == ()


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        pytest.param(ENFORCE, "nope", "must be one of privileged, baseline, restricted", id="level"),
        pytest.param(f"{ENFORCE}-version", "1.2", 'must be "latest" or "v1.x"', id="version"),
    ],
)
def test_a_label_that_means_nothing_is_refused(key: str, value: str, complaint: str) -> None:
    [fault] = validate(Namespace(metadata=ObjectMeta(name="shop", labels={key: value})))
    assert str(fault) == f'metadata.labels[{key}]: Invalid value: "{value}": {complaint}'


def test_a_runtime_class_that_is_not_there_keeps_the_pod_out() -> None:
    assert runtimeclass.check(pod(runtimeClassName="gvisor"), cluster()) == (
        'pod rejected: RuntimeClass "gvisor" not found'
    )
    assert runtimeclass.check(pod(), cluster()) == ""
