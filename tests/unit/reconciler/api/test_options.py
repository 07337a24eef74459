import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import options
from reconciler.api.options import Continue, DeleteOptions
from reconciler.api.status import StatusError
from schemas.kinds import BY_NAME
from tests.unit.reconciler.api.builders import config_map

CONFIG_MAP = BY_NAME["ConfigMap"]


@pytest.mark.parametrize(
    ("query", "code", "part"),
    [
        pytest.param({"limit": "abc"}, 400, 'parsing "abc"', id="limit"),
        pytest.param({"resourceVersion": "abc"}, 400, "invalid resource version", id="revision"),
        pytest.param({"continue": "garbage"}, 400, "invalid continue token", id="continue"),
        pytest.param({"resourceVersionMatch": "Exact"}, 422, "unless resourceVersion is provided", id="match alone"),
        pytest.param({"resourceVersion": "1", "resourceVersionMatch": "Odd"}, 422, '"Odd"', id="match"),
        pytest.param({"sendInitialEvents": "true"}, 422, "forbidden for list", id="initial events"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(query: dict[str, str], code: int, part: str) -> None:
    with pytest.raises(StatusError) as caught:
        options.list_options(query)
    assert caught.value.code == code
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("query", "part"),
    [
        pytest.param({"sendInitialEvents": "true"}, "requires setting resourceVersionMatch", id="no match"),
        pytest.param({"resourceVersionMatch": "NotOlderThan"}, "forbidden for watch unless", id="no initial events"),
    ],
)
def test_a_watch_that_makes_no_sense_is_refused(query: dict[str, str], part: str) -> None:
    with pytest.raises(StatusError, match=part):
        options.watch_options(query)


@pytest.mark.parametrize("key", ["labelSelector", "fieldSelector"])
def test_a_selector_that_cannot_be_read_is_refused(key: str) -> None:
    with pytest.raises(StatusError) as caught:
        options.selection({key: "a in b"}, CONFIG_MAP, None)
    assert caught.value.code == 400


def test_a_selection_picks_by_namespace_labels_and_fields() -> None:
    picks = options.selection({"labelSelector": "l=1", "fieldSelector": "metadata.name!=b"}, CONFIG_MAP, "x").picks
    assert picks(config_map("a", "x", l="1"))
    assert not picks(config_map("a", "y", l="1"))
    assert not picks(config_map("a", "x", l="2"))
    assert not picks(config_map("b", "x", l="1"))


@given(st.integers(1, 2**60), st.text(max_size=20), st.text(max_size=20))
def test_a_continue_token_survives_the_way_to_the_client_and_back(revision: int, namespace: str, name: str) -> None:
    token = Continue(revision, namespace, name)
    assert options.list_options({"continue": token.encode()}).continue_ == token


def test_a_watch_from_revision_zero_begins_with_what_there_is() -> None:
    assert options.watch_options({"resourceVersion": "0"}).revision is None
    assert options.watch_options({"resourceVersion": "7"}).revision == 7


def test_options_of_a_deletion_come_from_body_and_query() -> None:
    body = b'{"kind":"DeleteOptions","gracePeriodSeconds":5,"preconditions":{"uid":"u"},"propagationPolicy":"Orphan"}'
    found = options.delete_options({"gracePeriodSeconds": "0"}, options.read_delete_options(body))
    assert (found.grace_period_seconds, found.orphan) == (0, True)
    assert found.preconditions is not None
    assert found.preconditions.uid == "u"
    assert options.delete_options({"gracePeriodSeconds": "-5"}, DeleteOptions()).grace_period_seconds == 1


@pytest.mark.parametrize(
    ("query", "body", "code"),
    [
        pytest.param({"propagationPolicy": "Odd"}, b"", 422, id="policy"),
        pytest.param({}, b'{"orphanDependents":true,"propagationPolicy":"Background"}', 422, id="both"),
        pytest.param({}, b"{", 400, id="body"),
    ],
)
def test_a_deletion_that_makes_no_sense_is_refused(query: dict[str, str], body: bytes, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        options.delete_options(query, options.read_delete_options(body))
    assert caught.value.code == code


def test_dry_run_is_all_or_a_mistake() -> None:
    assert options.dry_run({"dryRun": "All"}, "CreateOptions")
    assert options.dry_run({}, "DeleteOptions", ("All",))
    assert not options.dry_run({}, "CreateOptions")
    with pytest.raises(StatusError, match='supported values: "All"'):
        options.dry_run({"dryRun": "Some"}, "CreateOptions")
