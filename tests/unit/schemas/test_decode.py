from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.core.config import ConfigMap, Secret
from schemas.decode import decode
from schemas.kinds import BY_NAME


def deployment(**spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}},
            **spec,
        },
    }


def faults(kind: str, document: dict[str, Any]) -> list[str]:
    decoded = decode(BY_NAME[kind], document)
    assert (decoded.object is None) == bool(decoded.faults)
    return sorted(str(fault) for fault in decoded.faults)


def test_a_sound_document_becomes_its_object() -> None:
    assert faults("Deployment", deployment(replicas=3)) == []


def test_an_unknown_field_is_named_with_the_one_that_was_meant() -> None:
    assert faults("Deployment", deployment(replica=3)) == ["spec.replica: unknown field: did you mean `replicas`?"]
    assert faults("Deployment", deployment(qqq=3)) == ["spec.qqq: unknown field"]


def test_an_unknown_field_is_left_out_with_a_warning_or_in_silence_where_that_is_asked_for() -> None:
    warned = decode(BY_NAME["Deployment"], deployment(replica=3), "Warn")
    assert [(str(fault), fault.severity) for fault in warned.faults] == [
        ("spec.replica: unknown field: did you mean `replicas`?", "warning")
    ]
    ignored = decode(BY_NAME["Deployment"], deployment(replica=3), "Ignore")
    assert ignored.faults == ()
    assert warned.object == ignored.object == decode(BY_NAME["Deployment"], deployment()).object
    assert warned.document == ignored.document == deployment()


def test_everything_but_an_unknown_field_is_refused_however_strict() -> None:
    document = deployment(replica=3, replicas="3")
    refused = decode(BY_NAME["Deployment"], document, "Warn")
    assert refused.object is None
    assert sorted((fault.field, fault.severity) for fault in refused.faults) == [
        ("spec.replica", "warning"),
        ("spec.replicas", "error"),
    ]
    assert [fault.field for fault in decode(BY_NAME["Deployment"], document, "Ignore").faults] == ["spec.replicas"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param(deployment(replica=None), "spec.replica: unknown field: did you mean `replicas`?", id="unknown"),
        pytest.param(
            deployment(strategy={"rollingUpdate": {"maxSurge": None}}),
            "spec.strategy.rollingUpdate.maxSurge: expected an amount, found nothing: write one, or take the key out",
            id="number or share",
        ),
        pytest.param(
            deployment(template={"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": None}}}]}}),
            "spec.template.spec.containers[0].resources.limits[cpu]: "
            "expected an amount, found nothing: write one, or take the key out",
            id="quantity",
        ),
    ],
)
def test_a_null_is_refused_where_it_would_not_mean_absence(document: dict[str, Any], says: str) -> None:
    assert says in faults("Deployment", document)


def test_an_object_within_another_is_of_its_kind_without_saying_so() -> None:
    def claiming(**claim: str) -> dict[str, Any]:
        document = deployment(serviceName="s", volumeClaimTemplates=[{"metadata": {"name": "c"}, **claim}])
        return document | {"kind": "StatefulSet"}

    assert faults("StatefulSet", claiming()) == faults("StatefulSet", claiming(apiVersion="v1")) == []
    at = "spec.volumeClaimTemplates[0]"
    assert faults("StatefulSet", claiming(kind="Claim")) == [
        f'{at}.kind: expected "PersistentVolumeClaim", found the string "Claim"'
    ]


def test_a_null_stands_for_absence_and_in_a_list_for_the_empty_text() -> None:
    container = {"name": "a", "args": [None, "b"], "env": None}
    decoded = decode(BY_NAME["Pod"], {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}})
    assert decoded.faults == ()
    assert decoded.document["spec"] == {"containers": [{"name": "a", "args": ["", "b"]}]}


def test_every_fault_is_reported_at_once() -> None:
    document = deployment(
        replicas="3",
        paused="yes",
        minReadySeconds=2**40,
        template={
            "metadata": {"labels": {"version": 1.1, "on": True}},
            "spec": {
                "containers": [
                    {"image": "x", "command": "sleep 1", "resources": {"limits": {"cpu": "lots"}}, "tty": 1},
                ],
                "hostname": ["a"],
            },
        },
    )
    del document["spec"]["selector"]
    at = "spec.template.spec.containers[0]"
    found = faults("Deployment", document)
    assert found[:2] == [
        "spec.minReadySeconds: the number is out of range, expected at most 2147483647",
        'spec.paused: expected true or false, found the string "yes": remove the quotes',
    ]
    assert 'spec.replicas: expected an integer, found the string "3": remove the quotes' in found
    assert "spec.selector: Required value" in found
    assert (
        "spec.template.metadata.labels[version]: expected a string, found the number 1.1: put it in quotes"
    ) in found
    assert any(
        line.startswith("spec.template.metadata.labels[on]: expected a string, found the bool") for line in found
    )
    assert f'{at}.command: expected a list, found the string "sleep 1": begin each element with `- `' in found
    assert f"{at}.name: Required value" in found
    assert f"{at}.tty: expected true or false, found the number 1" in found
    assert any(line.startswith(f'{at}.resources.limits[cpu]: "lots" is not a quantity') for line in found)
    assert "spec.template.spec.hostname: expected a string, found a list" in found
    assert len(found) == 11


def test_null_means_absence() -> None:
    decoded = decode(BY_NAME["Deployment"], deployment(replicas=None, strategy=None))
    assert decoded == decode(BY_NAME["Deployment"], deployment())


@pytest.mark.parametrize("written", ["aGVsbG8gd29ybGQ=", "aGVsbG8g\n  d29ybGQ=\n", " aGVsbG8gd29ybGQ="])
def test_base64_may_be_broken_into_lines(written: str) -> None:
    decoded = decode(BY_NAME["Secret"], {"apiVersion": "v1", "kind": "Secret", "data": {"a": written}})
    assert isinstance(decoded.object, Secret)
    assert decoded.object.data == {"a": b"hello world"}


def test_the_document_is_given_back_in_the_form_that_converts_as_it_is() -> None:
    written = {"apiVersion": "v1", "kind": "Secret", "data": {1: "aGVs\nbG8="}, "type": None}
    decoded = decode(BY_NAME["Secret"], written)
    assert decoded.document == {"apiVersion": "v1", "kind": "Secret", "data": {"1": "aGVsbG8="}}
    assert msgspec.convert(decoded.document, Secret) == decoded.object


def test_a_time_that_is_none_is_named() -> None:
    document = deployment()
    document["metadata"]["creationTimestamp"] = "yesterday"
    (line,) = faults("Deployment", document)
    assert line.startswith("metadata.creationTimestamp: Invalid RFC3339")


def test_plain_text_in_a_secret_is_named_without_showing_it() -> None:
    document = {"apiVersion": "v1", "kind": "Secret", "data": {"password": "hunter2!"}}
    assert faults("Secret", document) == ["data[password]: not base64; put plain text under `stringData`"]


def test_a_secret_is_not_shown_where_its_form_is_wrong() -> None:
    document = {"apiVersion": "v1", "kind": "Secret", "stringData": {"pin": 4711, "ok": True}}
    assert faults("Secret", document) == [
        "stringData[ok]: expected a string, found a boolean: put it in quotes",
        "stringData[pin]: expected a string, found a number: put it in quotes",
    ]


def test_the_document_must_be_of_the_kind() -> None:
    assert faults("Secret", {"apiVersion": "v2", "kind": "Secret"}) == [
        'apiVersion: expected "v1", found the string "v2"'
    ]
    assert len(faults("Secret", {})) == 2


def test_keys_that_yaml_reads_as_numbers_are_texts() -> None:
    decoded = decode(BY_NAME["ConfigMap"], {"apiVersion": "v1", "kind": "ConfigMap", "data": {8080: "a"}})
    assert isinstance(decoded.object, ConfigMap)
    assert decoded.object.data == {"8080": "a"}


def test_keys_that_yaml_reads_as_booleans_are_faults() -> None:
    document = {"apiVersion": "v1", "kind": "ConfigMap", "data": {True: "a"}}
    assert faults("ConfigMap", document) == ["data[True]: the key is the boolean true: put it in quotes"]


def test_a_bottomless_document_is_refused() -> None:
    bottomless: Any = []
    for _ in range(100_000):
        bottomless = [bottomless]
    assert "levels deep" in faults("ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap", "data": bottomless})[0]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "spec", "x"]), inner),
    max_leaves=6,
)


@settings(max_examples=25)
@given(st.sampled_from(["spec", "metadata", "status"]), values)
def test_any_document_is_an_object_or_has_a_fault(name: str, value: object) -> None:
    document = deployment()
    document[name] = value
    decoded = decode(BY_NAME["Deployment"], document)
    assert (decoded.object is None) == bool(decoded.faults)
    for fault in decoded.faults:
        assert fault.message
