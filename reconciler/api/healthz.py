"""`/healthz`, `/livez`, `/readyz`: whether the reconciler works, for those who watch over it; in Kubernetes' form.

`?verbose` tells of each check, `?exclude=NAME` leaves one out, `/livez/NAME` asks for one alone. Why a check fails is
for the log and for `kubectl get componentstatuses`, not for strangers
(https://kubernetes.io/docs/reference/using-api/health-checks/).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiohttp import web

from reconciler.api.derived import Check

log = logging.getLogger(__name__)

PATHS = ("/healthz", "/livez", "/readyz")
_PATIENCE = 5.0


def routes(checks: Mapping[str, Check]) -> Sequence[web.RouteDef]:
    """`checks` by name; each says why something does not work, or nothing."""

    async def all_of(request: web.Request) -> web.Response:
        excluded = request.query.getall("exclude", [])
        results = {name: name in excluded or await _passes(name, check) for name, check in checks.items()}
        return _text(*told(request.path[1:], results, excluded, verbose="verbose" in request.query))

    async def one_of(request: web.Request) -> web.Response:
        name = request.match_info["check"]
        check = checks.get(name)
        if check is None:
            raise web.HTTPNotFound
        if await _passes(name, check):
            return _text(200, "ok")
        return _text(500, f"internal server error: check {name} failed\n")

    found = [web.get(path, all_of, allow_head=False) for path in PATHS]
    return [*found, *(web.get(f"{path}/{{check}}", one_of, allow_head=False) for path in PATHS)]


async def ping() -> str:
    """Whoever asks has been answered."""
    return ""


def told(which: str, results: Mapping[str, bool], excluded: Sequence[str], *, verbose: bool) -> tuple[int, str]:
    """Status and text of the answer to all checks at once."""
    fails = not all(results.values())
    if not fails and not verbose:
        return 200, "ok"
    lines = [
        f"[+]{name} excluded: ok"
        if name in excluded
        else f"[+]{name} ok"
        if ok
        else f"[-]{name} failed: reason withheld"
        for name, ok in results.items()
    ]
    if unknown := [name for name in excluded if name not in results]:
        named = ",".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {named}")
    lines.append(f"{which} check {'failed' if fails else 'passed'}")
    return (500 if fails else 200), "\n".join(lines) + "\n"


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            why = await check()
    except TimeoutError:
        why = f"no answer within {_PATIENCE:.0f} s"
    if why:
        log.warning("health check failed check=%s why=%s", name, why)
    return not why


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers={"Cache-Control": "no-cache, private"})
