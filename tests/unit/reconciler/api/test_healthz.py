"""Whether the reconciler works, for those who watch over it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from reconciler.api import healthz
from reconciler.store.interface import StoreError
from tests.unit.reconciler.api.conftest import Served

WELL, ILL = {"ping": True, "store": True}, {"ping": True, "store": False}


@pytest.mark.parametrize(
    ("results", "excluded", "verbose", "answer"),
    [
        pytest.param(WELL, [], False, (200, "ok"), id="well"),
        pytest.param(WELL, [], True, (200, "[+]ping ok\n[+]store ok\nreadyz check passed\n"), id="well, in full"),
        pytest.param(
            ILL, [], False, (500, "[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n"), id="ill"
        ),
        pytest.param(
            WELL, ["store"], True, (200, "[+]ping ok\n[+]store excluded: ok\nreadyz check passed\n"), id="one left out"
        ),
        pytest.param(
            WELL,
            ["etcd"],
            True,
            (
                200,
                "[+]ping ok\n[+]store ok\nwarn: some health checks cannot be excluded: "
                'no matches for "etcd"\nreadyz check passed\n',
            ),
            id="one left out that there is not",
        ),
    ],
)
def test_health_is_told_in_the_form_of_kubernetes(
    results: Mapping[str, bool], excluded: Sequence[str], verbose: bool, answer: tuple[int, str]
) -> None:
    assert healthz.told("readyz", results, excluded, verbose=verbose) == answer


async def test_a_store_that_cannot_be_read_shows_in_health(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in healthz.PATHS:
        assert (await served.kubectl("get", "--raw", path)).out == "ok"
    full = await served.kubectl("get", "--raw", "/readyz?verbose&exclude=store")
    assert full.out == "[+]ping ok\n[+]store excluded: ok\nreadyz check passed\n"

    async def gone(_: str) -> object:
        raise StoreError("the disk is gone")

    store: Any = served.cluster.store
    monkeypatch.setattr(store._file, "rows", gone)
    said = await served.try_kubectl("get", "--raw", "/readyz")
    assert "[-]store failed: reason withheld" in said.err
    assert "the disk is gone" not in said.err
    assert (await served.kubectl("get", "--raw", "/livez/ping")).out == "ok"
    assert "check store failed" in (await served.try_kubectl("get", "--raw", "/livez/store")).err
    monkeypatch.undo()
    assert (await served.kubectl("get", "--raw", "/livez/store")).out == "ok"
    assert "could not find" in (await served.try_kubectl("get", "--raw", "/livez/nosuch")).err
