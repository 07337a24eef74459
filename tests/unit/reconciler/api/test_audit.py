import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.api.attributes import Attributes
from reconciler.api.audit import AuditLog, Entry, object_ref, shown_uri
from tests.unit.reconciler.api.builders import NOW


def entry(**fields: Any) -> Entry:  # noqa: ANN401
    known = {"stage": "ResponseComplete", "verb": "get", "request_uri": "/api", "source_ips": ("10.0.0.1",)}
    return Entry(request_received_timestamp=NOW, audit_id="1", **(known | fields))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, "/p"),
        ({"labelSelector": "a=b", "limit": "5"}, "/p?labelSelector=a%3Db&limit=5"),
        ({"command": "hunter2", "container": "c"}, "/p?command=…&container=c"),
        ({"token": "hunter2"}, "/p?token=…"),
        ({"labelSelector": "x" * 5000}, ("/p?labelSelector=" + "x" * 5000)[:1024]),
    ],
)
def test_of_a_query_only_what_picks_and_bounds_is_told(query: dict[str, str], shown: str) -> None:
    assert shown_uri("/p", query) == shown


def test_what_a_request_is_about_is_told() -> None:
    asked = Attributes("get", "apps", "v1", "deployments", "scale", "shop", "web")
    assert object_ref(asked) == {
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "apiGroup": "apps",
        "apiVersion": "v1",
        "subresource": "scale",
    }
    assert object_ref(Attributes("get", path="/metrics")) == object_ref(None) == {}


async def test_lines_are_on_disk_when_the_log_is_closed(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit" / "log", 1_000_000, 2)
    log.add(entry(code=200, user={"username": "alice"}))
    log.add(entry(code=403))
    assert not (tmp_path / "audit").exists()
    await log.close()
    assert [line["code"] for line in lines(tmp_path / "audit" / "log")] == [200, 403]
    assert (tmp_path / "audit" / "log").stat().st_mode & 0o777 == 0o600


async def test_lines_are_on_disk_soon(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", 1_000_000, 2)
    log.add(entry())
    async with asyncio.timeout(60):
        while not (tmp_path / "log").exists() or not lines(tmp_path / "log"):
            await asyncio.sleep(0.05)
    await log.close()
    assert len(lines(tmp_path / "log")) == 1


@pytest.mark.parametrize("keep", [0, 1, 3])
async def test_the_log_is_bounded(tmp_path: Path, keep: int) -> None:
    for start in range(3):
        log = AuditLog(tmp_path / "log", 2_000, keep)
        for number in range(30):
            log.add(entry(code=start * 30 + number))
        await log.close()
    files = sorted(tmp_path.iterdir(), key=lambda path: path.name, reverse=True)
    assert len(files) == keep + 1
    assert all(path.stat().st_size <= 2_000 for path in files)
    codes = [line.get("code", 0) for path in files for line in lines(path)]
    assert codes == list(range(90))[-len(codes) :]


async def test_a_disk_that_fails_holds_nothing_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    log = AuditLog(tmp_path / "file" / "log", 1_000, 1)
    log.add(entry())
    await log.close()
    assert "audit log not written" in caplog.text


async def test_what_does_not_fit_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = AuditLog(tmp_path / "log", 100_000_000, 1)
    for _ in range(10_003):
        log.add(entry())
    await log.close()
    assert "audit lines dropped count=3" in caplog.text
    assert len(lines(tmp_path / "log")) == 10_000
