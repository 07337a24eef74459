"""The commands that start and stop what runs on this box, and play failures on simulated nodes."""

import argparse
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

from reconciler import box as boxes
from reconciler.box import Box
from schemas.configuration import BadConfiguration
from schemas.daemon import log_to

START_LIMIT = 60.0
"""Seconds that `up --detach` waits for the API to answer."""
MAX_SIMULATED = 250
"""So many ranges of pod addresses there are."""


def up_arguments(up: argparse.ArgumentParser) -> None:
    up.add_argument("manifests", nargs="?", type=Path, metavar="MANIFESTS", help="folder (default: DIR/manifests)")
    up.add_argument("--source-git", metavar="URL", help="a git repository to follow, in place of a folder")
    up.add_argument("--branch", help="of that repository (default: its HEAD, or as the last time)")
    up.add_argument("--path", help="of the manifests in it (default: all of it, or as the last time)")
    up.add_argument("--port", type=int, help="of the API on 127.0.0.1 (default: 6443, or as the last time)")
    up.add_argument("--detach", action="store_true", help="return when it answers, and leave it running")
    up.add_argument(
        "--simulate",
        type=_number_of_nodes,
        metavar="N",
        help="N simulated nodes in place of containerd (default: as the last time; 0: none)",
    )
    up.add_argument("--log-file", type=Path, help=argparse.SUPPRESS)


def _number_of_nodes(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_SIMULATED:
        raise argparse.ArgumentTypeError(f"expected a number of nodes from 0 to {MAX_SIMULATED}, found {text!r}")
    return int(text)


def up(arguments: argparse.Namespace) -> int:
    box = Box(arguments.data.absolute())
    if box.reconciler_pid is not None:
        print(f"It runs already (process {box.reconciler_pid}).", file=sys.stderr)
        return _print_facts(box, arguments.output)
    box = boxes.prepare(arguments.data, arguments.manifests, arguments.port, arguments.simulate, _git_source(arguments))
    boxes.check_port(box)
    if arguments.detach:
        _detach(box, arguments.data)
        return _print_facts(box, arguments.output)
    gc.disable()  # as in `start`
    from reconciler.daemon import run_box  # the whole reconciler, which no other command needs

    if arguments.log_file is None:
        _print_facts(box, arguments.output)
    log_to(arguments.log_file)
    run_box(box)
    return 0


def _git_source(arguments: argparse.Namespace) -> dict[str, str] | None:
    """What the command line says of a repository. Raises `BadConfiguration`."""
    if arguments.source_git is None:
        if arguments.branch or arguments.path:
            raise BadConfiguration("--branch and --path are of a repository: name it with --source-git URL")
        return None
    if arguments.manifests is not None:
        raise BadConfiguration("give either a folder or --source-git URL")
    given = {"git": arguments.source_git, "branch": arguments.branch, "path": arguments.path}
    return {field: value for field, value in given.items() if value is not None}


def _detach(box: Box, data: Path) -> None:
    """Returns when the API answers and the node agent runs. Raises `BadConfiguration` where that does not come."""
    box.kubeconfig.unlink(missing_ok=True)
    errors = box.directory / "logs" / "wherry.err"
    with errors.open("wb") as stream:
        command = [sys.executable, "-m", "reconciler", "up", "--data", str(data), "--log-file", str(box.log_file)]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stream, start_new_session=True
        )
    limit = time.monotonic() + START_LIMIT
    while not box.kubeconfig.exists():
        if child.poll() is not None or time.monotonic() > limit:
            last = errors.read_text(errors="replace").strip().rpartition("\n")[2].removeprefix("wherry: ")
            raise BadConfiguration(f"it did not start: {last or f'see {box.log_file}'}")
        time.sleep(0.05)
    while box.agent_pid is None:
        if time.monotonic() > limit or (said := boxes.agent_said(box)):
            raise BadConfiguration(
                f"the node agent does not start, and is tried again: {said or f'see {box.log_file}'}"
            )
        time.sleep(0.05)


def _print_facts(box: Box, output: str) -> int:
    known = boxes.facts(box)
    if output == "json":
        print(json.dumps(known))
        return 0
    nodes = f"{known['simulatedNodes']} simulated nodes" if known["simulatedNodes"] else "this machine"
    print(f"Wherry runs {known['manifests']} on {nodes}: edit and save.")
    print(f"  kubectl --kubeconfig {known['kubeconfig']} get pods -A")
    print(f"  wherry status --data {known['data']}")
    if not known["simulatedNodes"]:
        print(f"  images:  {known['images']}")
    if known["reconcilerPid"]:
        print(f"  log:     {known['log']}")
    print(f"  stop:    wherry down --data {known['data']}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    done = boxes.stop(Box(arguments.data.absolute()))
    if arguments.output == "json":
        print(json.dumps({"done": done}))
    else:
        print("\n".join(done) if done else "Nothing ran, and nothing was left over.")
    return 0


def simulate(arguments: argparse.Namespace) -> int:
    box = Box(arguments.data.absolute())
    if not box.simulated:
        raise BadConfiguration(f"{box.directory} has no simulated nodes: start it with `wherry up --simulate N`")
    answer = boxes.tell_simulation(box, arguments.what, arguments.node)
    if not answer["ok"]:
        raise BadConfiguration(answer["said"])
    print(json.dumps(answer) if arguments.output == "json" else answer["said"])
    return 0
