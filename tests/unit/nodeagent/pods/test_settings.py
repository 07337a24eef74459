"""What a container is told to be: confinement, sysctls, files of variables, and the cgroup around its pod."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeagent.pods.confinement import apparmor, seccomp, selinux
from nodeagent.pods.envfile import parse
from nodeagent.pods.node import NodeFacts
from nodeagent.pods.podcgroup import container_hugepages, page_name, pod_cgroup
from nodeagent.pods.sysctls import forbidden, pattern_faults
from nodeagent.runtime.interface import PodCgroup, Profile, SELinuxLabel
from schemas.core.pod import Pod
from schemas.qos import qos_class
from tests.unit.nodeagent.pods.builders import pod

MIB = 1 << 20
FACTS = NodeFacts(name="n1", page_sizes=(2 * MIB,), pids_limit=100)
PROFILES = Path("/profiles")


def confined(of_pod: dict[str, Any], own: dict[str, Any]) -> Pod:
    return pod(securityContext=of_pod, containers=[{"name": "main", "image": "x", "securityContext": own}])


@pytest.mark.parametrize(
    ("of_pod", "own", "profile"),
    [
        pytest.param({}, {}, Profile("RuntimeDefault"), id="nothing said"),
        pytest.param({"type": "Unconfined"}, {}, Profile("Unconfined"), id="by the pod"),
        pytest.param({"type": "Unconfined"}, {"type": "RuntimeDefault"}, Profile("RuntimeDefault"), id="by itself"),
        pytest.param(
            {},
            {"type": "Localhost", "localhostProfile": "a/b.json"},
            Profile("Localhost", "/profiles/a/b.json"),
            id="node's",
        ),
    ],
)
def test_the_containers_own_seccomp_profile_goes_before_the_pods(
    of_pod: dict[str, Any], own: dict[str, Any], profile: Profile
) -> None:
    one = confined({"seccompProfile": of_pod} if of_pod else {}, {"seccompProfile": own} if own else {})
    assert seccomp(one, one.spec.containers[0], PROFILES) == profile


def test_an_apparmor_profile_of_the_node_is_named() -> None:
    own = {"appArmorProfile": {"type": "Localhost", "localhostProfile": "narrow"}}
    one = confined({"appArmorProfile": {"type": "RuntimeDefault"}}, own)
    assert apparmor(one, one.spec.containers[0]) == Profile("Localhost", "narrow")
    plain = confined({}, {})
    assert apparmor(plain, plain.spec.containers[0]) is None


def test_labels_of_selinux_are_of_the_container_or_of_the_pod() -> None:
    one = confined({"seLinuxOptions": {"level": "s0:c1,c2"}}, {"seLinuxOptions": {"type": "t"}})
    assert selinux(one) == SELinuxLabel(level="s0:c1,c2")
    assert selinux(one, one.spec.containers[0]) == SELinuxLabel(type="t")


@pytest.mark.parametrize(
    ("name", "spec", "why"),
    [
        pytest.param("net.ipv4.tcp_syncookies", {}, "", id="safe"),
        pytest.param("net/ipv4/tcp_syncookies", {}, "", id="with slashes"),
        pytest.param("net.core.somaxconn", {}, "", id="allowed by prefix"),
        pytest.param("kernel.msgmax", {}, "", id="allowed by name"),
        pytest.param("kernel.msgmni", {}, 'forbidden sysctl: "kernel.msgmni" not allowlisted', id="not allowed"),
        pytest.param("vm.swappiness", {}, 'forbidden sysctl: "vm.swappiness" not allowlisted', id="of the node"),
        pytest.param(
            "net.core.somaxconn",
            {"hostNetwork": True},
            'forbidden sysctl: "net.core.somaxconn" not allowed with host net enabled',
            id="the node's network",
        ),
        pytest.param(
            "kernel.shm_rmid_forced",
            {"hostIPC": True},
            'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host ipc enabled',
            id="the node's memory",
        ),
    ],
)
def test_a_sysctl_is_safe_or_allowed_or_forbidden(name: str, spec: dict[str, Any], why: str) -> None:
    one = pod(securityContext={"sysctls": [{"name": name, "value": "1"}]}, **spec)
    assert forbidden(one, ("net.core.*", "kernel.msgmax")) == why


def test_no_pattern_may_let_a_pod_change_the_node() -> None:
    assert not list(pattern_faults(("net.*", "kernel.shm*", "kernel.msgmax", "fs.mqueue.*", "kernel.sem")))
    assert len(list(pattern_faults(("*", "vm.*", "kernel.*", "net.*.x")))) == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("A='1'\nB='two words'\n", {"A": "1", "B": "two words"}, id="two"),
        pytest.param("# word\n\n   A='1'  # why\r\n", {"A": "1"}, id="comments and blanks"),
        pytest.param("A='1\n2'\n", {"A": "1\n2"}, id="over lines"),
        pytest.param("A='$B \\\\ \"'", {"A": '$B \\\\ "'}, id="as it is"),
        pytest.param("A='1'\nA='2'", {"A": "2"}, id="the last counts"),
        pytest.param("A=''", {"A": ""}, id="empty"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_variables_are_read_as_a_shell_reads_them(text: str, found: dict[str, str]) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("A=1", 1, id="bare"),
        pytest.param('A="1"', 1, id="double quotes"),
        pytest.param("A='1'\nB ='2'", 2, id="a blank before the sign"),
        pytest.param("A='1'\nexport B='2'", 2, id="export"),
        pytest.param("A='1'\n\nB='2", 3, id="no end"),
        pytest.param("A='1'x", 1, id="more after it"),
    ],
)
def test_whatever_else_is_in_the_file_is_said_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=f"line {line}$"):
        parse(text)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), st.text('ab #=\n"$\\'), max_size=4)
)
def test_what_is_written_is_read(variables: dict[str, str]) -> None:
    assert parse("".join(f"{name}='{text}'\n" for name, text in variables.items())) == variables


def of(*resources: dict[str, Any], **spec: Any) -> Pod:  # noqa: ANN401 - as YAML
    containers = [{"name": f"c{n}", "image": "x", "resources": one} for n, one in enumerate(resources)]
    return pod(containers=containers, **spec)


def limits(**amounts: str) -> dict[str, Any]:
    return {"limits": amounts, "requests": amounts}


@pytest.mark.parametrize(
    ("one", "cgroup"),
    [
        pytest.param(of({}), PodCgroup(parent="besteffort", cpu_shares=2), id="nothing asked"),
        pytest.param(
            of(limits(cpu="500m", memory="64Mi"), limits(cpu="250m", memory="32Mi")),
            PodCgroup(cpu_shares=768, cpu_quota=75_000, memory_limit=96 * MIB),
            id="all of it",
        ),
        pytest.param(
            of(limits(cpu="500m", memory="64Mi"), {"requests": {"cpu": "100m"}}),
            PodCgroup(parent="burstable", cpu_shares=614),
            id="one without limits",
        ),
        pytest.param(
            of({}, {}, resources={"limits": {"memory": "1Mi"}, "requests": {"memory": "1Mi"}}),
            PodCgroup(parent="burstable", cpu_shares=2, memory_limit=MIB),
            id="of the pod as a whole",
        ),
        pytest.param(
            of(limits(cpu="1m", memory="1Mi"), overhead={"memory": "1Mi"}),
            PodCgroup(cpu_shares=2, cpu_quota=1000, memory_limit=2 * MIB),
            id="with an overhead",
        ),
    ],
)
def test_a_pod_has_what_its_containers_have_together(one: Pod, cgroup: PodCgroup) -> None:
    found = pod_cgroup(one, FACTS)
    expected = {"cpu_period": 100_000, "pids_limit": 100, "hugepages": {"2MB": 0}}
    assert found == PodCgroup(**{name: getattr(cgroup, name) for name in cgroup.__struct_fields__} | expected)


def test_where_a_pod_has_resources_as_a_whole_they_make_its_quality() -> None:
    whole = {"limits": {"cpu": "1", "memory": "1Mi"}, "requests": {"cpu": "1", "memory": "1Mi"}}
    assert qos_class(of({}, resources=whole)) == "Guaranteed"
    assert qos_class(of({"requests": {"cpu": "1"}}, resources={})) == "Burstable"


def test_huge_pages_are_limited_to_what_is_asked_for() -> None:
    one = of(limits(**{"hugepages-2Mi": "4Mi"}))
    sizes = (2 * MIB, 1024 * MIB)
    assert container_hugepages(one.spec.containers[0], sizes) == {"2MB": 4 * MIB, "1GB": 0}
    assert [page_name(size) for size in (64 * 1024, 2 * MIB, 1024 * MIB)] == ["64KB", "2MB", "1GB"]
