"""`nodeagent status|pods|logs|exec|metrics`: the node seen from itself, with no control plane."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from nodeagent.config import load_config
from nodeagent.local import carrier, client, tables, terminal
from nodeagent.local.views import NodeView, PodView
from schemas.configuration import BadConfiguration
from schemas.rpc import ExecRequest, LogRequest

CONFIG = Path("/etc/wherry/nodeagent.yaml")
NAMES = ("status", "pods", "logs", "exec", "metrics")
EXAMPLES = {
    "status": "  nodeagent status\n  nodeagent status --output json",
    "pods": "  nodeagent pods\n  nodeagent pods -n kube-system\n  nodeagent pods --output json",
    "logs": (
        "  nodeagent logs web\n  nodeagent logs web -c proxy --tail 20 -f\n  nodeagent logs -n lamps hall --previous"
    ),
    "exec": "  nodeagent exec web -- ls /srv\n  nodeagent exec -it web -c proxy -- sh",
    "metrics": "  nodeagent metrics | grep kubelet_running_pods",
}
PURPOSES = {
    "status": "how the node, its link and its agent are, and what was written to disk",
    "pods": "the pods of this node",
    "logs": "the log of a container",
    "exec": "run a command in a container",
    "metrics": "what Prometheus would be told",
}


class Wrong(Exception):
    """What was asked for is not there. The text says what is."""


def main(arguments: Sequence[str]) -> int:
    """Runs one of `NAMES` and returns the exit code."""
    parsed = parser().parse_args(arguments)
    commands = {"status": _status, "pods": _pods, "logs": _logs, "exec": _exec, "metrics": _metrics}
    try:
        run = load_config(parsed.config).run
        return asyncio.run(commands[parsed.what](run, parsed))
    except (BadConfiguration, client.NoAgent, client.Refused, Wrong) as error:
        print(f"nodeagent: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="nodeagent")
    several = whole.add_subparsers(dest="what", required=True)
    made = {}
    for name in NAMES:
        made[name] = several.add_parser(
            name,
            help=PURPOSES[name],
            description=f"{PURPOSES[name][0].upper()}{PURPOSES[name][1:]}. Asks the agent on this machine.",
            epilog=f"examples:\n{EXAMPLES[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made[name].add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="(default: %(default)s)")
    for name in ("status", "pods"):
        made[name].add_argument("-o", "--output", choices=("text", "json"), default="text")
    made["pods"].add_argument("-n", "--namespace", default="", help="of this namespace alone")
    for name in ("logs", "exec"):
        made[name].add_argument("-n", "--namespace", default="", help="where pods of several have the name")
        made[name].add_argument("-c", "--container", default="", help="(default: the pod's first)")
        made[name].add_argument("pod", metavar="POD")
    logs, execute = made["logs"], made["exec"]
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the container has ended")
    logs.add_argument("-p", "--previous", action="store_true", help="of the container before the one that runs")
    logs.add_argument("--tail", type=int, metavar="LINES", help="so many of the last lines")
    logs.add_argument("--timestamps", action="store_true")
    execute.add_argument("-i", "--stdin", action="store_true", help="send what is typed or piped in")
    execute.add_argument("-t", "--tty", action="store_true", help="the process has a terminal")
    execute.add_argument("command", nargs="+", metavar="COMMAND")
    execute.usage = (
        "nodeagent exec [-h] [--config FILE] [-n NAMESPACE] [-c CONTAINER] [-i] [-t] POD -- COMMAND [ARG ...]"
    )
    return whole


async def _status(run: Path, arguments: argparse.Namespace) -> int:
    answer = await client.ask(run, carrier.STATUS)
    if arguments.output == "json":
        return _print_json(answer)
    print(tables.status_text(msgspec.json.decode(answer, type=NodeView), datetime.now(UTC)), end="")
    return 0


async def _pods(run: Path, arguments: argparse.Namespace) -> int:
    pods = [one for one in await _known(run) if arguments.namespace in ("", one.namespace)]
    if arguments.output == "json":
        return _print_json(msgspec.json.encode(pods))
    print(tables.pods_table(pods, datetime.now(UTC)), end="")
    return 0


async def _metrics(run: Path, _: argparse.Namespace) -> int:
    print((await client.ask(run, carrier.METRICS)).decode(), end="")
    return 0


async def _logs(run: Path, arguments: argparse.Namespace) -> int:
    pod = _chosen(await _known(run), arguments.pod, arguments.namespace)
    request = LogRequest(
        uid=pod.uid,
        container=_container(pod, arguments.container),
        follow=arguments.follow,
        previous=arguments.previous,
        timestamps=arguments.timestamps,
        tail_lines=arguments.tail,
    )
    await client.call(run, request, terminal.show)
    return 0


async def _exec(run: Path, arguments: argparse.Namespace) -> int:
    pod = _chosen(await _known(run), arguments.pod, arguments.namespace)
    has_terminal = arguments.tty and os.isatty(sys.stdout.fileno())
    if arguments.tty and not has_terminal:
        print("nodeagent: -t has no effect: standard output is no terminal", file=sys.stderr)
    request = ExecRequest(
        uid=pod.uid,
        container=_container(pod, arguments.container),
        command=tuple(arguments.command),
        stdin=arguments.stdin,
        stdout=True,
        stderr=not has_terminal,
        tty=has_terminal,
    )
    use = partial(terminal.sit, stdin=arguments.stdin, terminal=has_terminal)
    return (await client.call(run, request, use)).exit_code


async def _known(run: Path) -> list[PodView]:
    return msgspec.json.decode(await client.ask(run, carrier.PODS), type=list[PodView])


def _chosen(pods: Sequence[PodView], name: str, namespace: str) -> PodView:
    """By its name, which may be written `NAMESPACE/NAME`."""
    before, slash, after = name.partition("/")
    namespace, name = (before, after) if slash else (namespace, name)
    found = [pod for pod in pods if pod.name == name and namespace in ("", pod.namespace)]
    if len(found) > 1:
        raise Wrong(f"pods of that name are in {', '.join(pod.namespace for pod in found)}: choose with -n")
    if not found:
        raise Wrong(f"this node has no pod {name!r}; `nodeagent pods` tells which it has")
    return found[0]


def _container(pod: PodView, name: str) -> str:
    names = [one.name for one in pod.containers]
    if name and name not in names:
        raise Wrong(f"pod {pod.name} has no container {name!r}; it has {', '.join(names)}")
    return name or pod.default_container


def _print_json(answer: bytes) -> int:
    print(msgspec.json.format(answer, indent=2).decode())
    return 0
