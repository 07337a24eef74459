import pytest

from reconciler.api.negotiation import negotiate, wants_gzip, wants_pretty, wants_yaml
from reconciler.api.representation import PLAIN, Form
from reconciler.api.status import StatusError

KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        pytest.param("", PLAIN, id="nothing said"),
        pytest.param("*/*", PLAIN, id="anything"),
        pytest.param("application/*", PLAIN, id="any application"),
        pytest.param("application/json", PLAIN, id="plain"),
        pytest.param("application/json; charset=utf-8", PLAIN, id="a parameter that says nothing"),
        pytest.param("application/vnd.kubernetes.protobuf,application/json", PLAIN, id="protobuf or else plain"),
        pytest.param("application/json;stream=watch", PLAIN, id="a watch"),
        pytest.param("application/yaml", PLAIN, id="yaml"),
        pytest.param(KUBECTL, Form("Table"), id="kubectl get"),
        pytest.param(KUBECTL.replace("v=v1;", "v=v2;"), Form("Table", meta="meta.k8s.io/v1beta1"), id="older tables"),
        pytest.param(METADATA, Form("Metadata"), id="metadata"),
        pytest.param(METADATA.replace("Metadata", "MetadataList"), Form("Metadata"), id="metadata of a list"),
        pytest.param("application/json;as=Nope;v=v1;g=meta.k8s.io,application/json", PLAIN, id="unknown or else plain"),
        pytest.param(f"{METADATA};q=0.5,application/json;q=0.9", PLAIN, id="the dearer one is given"),
        pytest.param(f"{METADATA},application/json;q=0", Form("Metadata"), id="what weighs nothing is not given"),
    ],
)
def test_the_dearest_form_that_can_be_given_is_given(accept: str, form: Form) -> None:
    assert negotiate(accept) == form


@pytest.mark.parametrize(
    ("accept", "watch", "message"),
    [
        pytest.param(
            "text/plain", False, "406: Not Acceptable\n\nAvailable representations: application/json", id="text"
        ),
        pytest.param("application/cbor", False, "406: Not Acceptable", id="cbor"),
        pytest.param(
            "application/json;as=Nope;v=v1;g=meta.k8s.io",
            False,
            "only the following media types are accepted: application/json, application/yaml",
            id="unknown form",
        ),
        pytest.param(
            "application/yaml",
            True,
            "only the following media types are accepted: application/json;stream=watch",
            id="a watch in yaml",
        ),
    ],
)
def test_what_cannot_be_given_is_not_acceptable(accept: str, watch: bool, message: str) -> None:
    with pytest.raises(StatusError) as caught:
        negotiate(accept, watch=watch)
    assert (caught.value.code, caught.value.reason) == (406, "NotAcceptable")
    assert caught.value.message.startswith(message)


def test_what_a_row_may_carry_is_named_where_another_was_asked_for() -> None:
    assert negotiate(KUBECTL, "Object") == Form("Table", "Object")
    with pytest.raises(StatusError, match='includeObject: Unsupported value: "All"'):
        negotiate(KUBECTL, "All")


def test_yaml_goes_to_who_prefers_it() -> None:
    assert wants_yaml("application/yaml")
    assert wants_yaml("application/json;q=0.5,application/yaml")
    assert not wants_yaml("application/json,application/yaml")
    assert not wants_yaml("")


def test_gzip_goes_to_who_can_unpack_it() -> None:
    assert wants_gzip("deflate, gzip;q=0.8")
    assert not wants_gzip("gzip;q=0")
    assert not wants_gzip("")


def test_people_get_answers_that_they_can_read() -> None:
    assert wants_pretty({"pretty": "1"}, "")
    assert wants_pretty({}, "curl/8.1")
    assert not wants_pretty({"pretty": "false"}, "curl/8.1")
    assert not wants_pretty({}, "kubectl/v1.36.2")
