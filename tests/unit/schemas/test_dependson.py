"""What the annotation `wherry.dev/depends-on` may say."""

import msgspec
import pytest

from schemas.dependson import DEPENDS_ON, PATH, faults, named, needed, needed_by
from schemas.meta import Ref

WEB = Ref("Deployment", "shop", "web")


@pytest.mark.parametrize(
    ("text", "refs"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(" ,\n, ", [], id="commas alone"),
        pytest.param("StatefulSet/db", [Ref("StatefulSet", "shop", "db")], id="its own namespace"),
        pytest.param("StatefulSet/data/db", [Ref("StatefulSet", "data", "db")], id="another namespace"),
        pytest.param("Namespace/data", [Ref("Namespace", "", "data")], id="no namespace"),
        pytest.param(
            "Job/one, Job/two\nJob/three,\n",
            [Ref("Job", "shop", "one"), Ref("Job", "shop", "two"), Ref("Job", "shop", "three")],
            id="commas and new lines",
        ),
    ],
)
def test_the_annotation_names_objects(text: str, refs: list[Ref]) -> None:
    assert list(named(WEB, text)) == refs
    assert not list(faults(WEB, {DEPENDS_ON: text}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("db", "there is no kind 'db'", id="no kind"),
        pytest.param("Statefulset/db", "did you mean StatefulSet?", id="misspelt"),
        pytest.param("apps/StatefulSet/db", "there is no kind 'apps'", id="with its group"),
        pytest.param("StatefulSet/", "names no object; write Kind/name", id="no name"),
        pytest.param("StatefulSet//db", "names no object; write Kind/name", id="no namespace"),
        pytest.param("StatefulSet/a/b/c", "names no object; write Kind/name", id="too many parts"),
        pytest.param("Namespace/a/b", "a Namespace is in no namespace; write Namespace/b", id="namespace of none"),
        pytest.param("Deployment/web", "is the object itself", id="itself"),
        pytest.param("Deployment/shop/web", "is the object itself", id="itself in full"),
    ],
)
def test_what_names_nothing_is_a_fault_of_the_annotation(text: str, message: str) -> None:
    (fault,) = faults(WEB, {DEPENDS_ON: text})
    assert fault.path == PATH
    assert message in fault.message


def test_an_object_of_no_namespace_has_to_say_in_which_the_other_is() -> None:
    node = Ref("Namespace", "", "n")
    assert list(named(node, "Job/a/b")) == [Ref("Job", "a", "b")]
    (said,) = named(node, "Job/b")
    assert isinstance(said, str)
    assert "write Job/NAMESPACE/b" in said


def test_it_is_found_in_a_declaration_and_on_a_live_object() -> None:
    annotations = {DEPENDS_ON: "Job/one, nonsense, Job/one"}
    document = msgspec.json.encode({"metadata": {"annotations": annotations}})
    assert needed(WEB, document) == needed_by(WEB, annotations) == (Ref("Job", "shop", "one"),)
    assert needed(WEB, b"{}") == needed_by(WEB, {}) == ()
