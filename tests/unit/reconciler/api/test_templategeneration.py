from reconciler.api.templategeneration import ANNOTATION, first, next_of
from schemas.core.config import ConfigMap
from schemas.decode import decode
from schemas.kinds import BY_NAME
from schemas.meta import Object, ObjectMeta


def daemon_set(image: str, **annotations: str) -> Object:
    document = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "a", "namespace": "n", "annotations": annotations},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    }
    found = decode(BY_NAME["DaemonSet"], document, "Strict").object
    assert found is not None
    return found


def count(object_: Object) -> str | None:
    return object_.metadata.annotations.get(ANNOTATION)


def test_templates_are_counted_from_one_whatever_the_client_says() -> None:
    created = first(daemon_set("1", **{ANNOTATION: "7"}))
    assert count(created) == "1"
    assert count(next_of(daemon_set("1"), created)) == "1"
    assert count(next_of(daemon_set("2"), created)) == "2"


def test_what_was_not_counted_from_the_start_is_not_counted() -> None:
    assert count(next_of(daemon_set("2"), daemon_set("1"))) is None
    other = ConfigMap(metadata=ObjectMeta(name="a"))
    assert first(other) is other
    assert next_of(other, other) is other
