"""The commands that ask a running reconciler: `wherry status`, `approve`, `diff`, `history`, `explain-scheduling`."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from reconciler.box import Box

ALL_WELL, DIFFERENT, NOT_WELL, BAD_USAGE = 0, 1, 1, 2
_AGAIN_SECONDS = 0.5


def status(arguments: argparse.Namespace) -> int:
    """With `--wait`, asks again until all is synced and healthy, or the time is over."""
    is_json = arguments.output == "json"
    answer = _status_in(arguments.data, arguments.wait or 0.0, is_json)
    if is_json:
        print(json.dumps(answer))
    else:
        from reconciler.statustext import say_status

        print(say_status(answer, str(arguments.data)))
    return ALL_WELL if arguments.wait is None or answer["convergence"]["converged"] else NOT_WELL


def _status_in(data: Path, seconds: float, with_objects: bool) -> Any:  # noqa: ANN401
    from reconciler.api.client import ClientError

    limit = time.monotonic() + seconds
    while True:
        try:
            answer = _ask(data, "status", **({"objects": "all"} if with_objects else {}))
            if answer["convergence"]["converged"] or time.monotonic() >= limit:
                return answer
        except ClientError:
            if time.monotonic() >= limit:
                raise
        time.sleep(min(_AGAIN_SECONDS, max(0.0, limit - time.monotonic())))


def _ask(data: Path, what: str, **query: str) -> Any:  # noqa: ANN401
    from reconciler.api import client

    asked = f"?{urlencode(query)}" if query else ""
    return client.call(Box(data.absolute()).kubeconfig, "GET", f"/wherry/v1/{what}{asked}")


def approve(arguments: argparse.Namespace) -> int:
    from reconciler.api import client

    released = client.call(Box(arguments.data.absolute()).kubeconfig, "POST", "/wherry/v1/approve")
    print(json.dumps(released) if arguments.output == "json" else _say_released(released["approved"]))
    return 0


def _say_released(released: list[str]) -> str:
    return "\n".join(f"deleted {ref}" for ref in released) or "Nothing is held back."


def diff(arguments: argparse.Namespace) -> int:
    """0 where nothing differs, 1 where something does, 2 where that cannot be told."""
    from reconciler.api.client import ClientError

    try:
        answer = _ask(arguments.data, "diff")
    except ClientError as error:
        print(f"wherry: {error}", file=sys.stderr)
        return BAD_USAGE
    if arguments.output == "json":
        print(json.dumps(answer))
    else:
        from reconciler.difftext import say_diff

        print(say_diff(answer))
    return DIFFERENT if answer["differences"] or answer["faults"] or answer["holding"] else ALL_WELL


def history(arguments: argparse.Namespace) -> int:
    query = {"object": arguments.object, "namespace": arguments.namespace} if arguments.object else {}
    answer = _ask(arguments.data, "history", **query)
    if arguments.output == "json":
        print(json.dumps(answer))
    else:
        from reconciler.historytext import say_history

        print(say_history(answer["records"]))
    return 0


def explain_scheduling(arguments: argparse.Namespace) -> int:
    answer = _ask(arguments.data, "scheduling", pod=arguments.pod, namespace=arguments.namespace)
    if arguments.output == "json":
        print(json.dumps(answer))
    else:
        from reconciler.schedulingtext import say_scheduling

        print(say_scheduling(answer))
    return 0
