"""`wherry`: the command that a person with one box uses."""

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from reconciler import asking, boxcommands, kubeconfigs
from reconciler.box import Box
from schemas.configuration import BadConfiguration
from schemas.daemon import AlreadyRunning

MAX_WAIT = 86_400


def main() -> None:
    """Entry point of `wherry`."""
    arguments = parser().parse_args()
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        sys.exit(run(arguments))
    except (BadConfiguration, AlreadyRunning, OSError) as error:
        print(f"wherry: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def parser() -> argparse.ArgumentParser:
    """The whole command line of `wherry`."""
    top = argparse.ArgumentParser(
        prog="wherry",
        description="Kubernetes-shaped orchestration for small machines.",
        epilog="example:\n"
        "  wherry up examples/hello --data /tmp/try --simulate 3 --detach\n"
        "  wherry status --data /tmp/try",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"wherry {version('wherry')}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    _of_the_box(commands)
    _of_the_cluster(commands)
    _of_manifests(commands)
    return top


def _of_the_box(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = _command(
        commands,
        "up",
        boxcommands.up,
        "run everything on this box: reconciler, broker, store and a node agent",
        "wherry up examples/hello --data /var/lib/wherry\n"
        "  wherry up examples/hello --data /tmp/try --simulate 3   (no root, no containers)\n"
        "  wherry up --source-git https://git.example/fleet.git --branch main --data /var/lib/wherry",
    )
    boxcommands.up_arguments(up)
    _output(up)

    down = _command(
        commands,
        "down",
        boxcommands.down,
        "stop what `up` started and remove what it made on the system; DIR itself stays",
        "wherry down --data /var/lib/wherry",
    )
    _output(down)
    simulate = _command(
        commands,
        "simulate",
        boxcommands.simulate,
        "play failures on the nodes of `up --simulate`",
        "wherry simulate cut-node sim-2 --data /tmp/try",
    )
    simulate.add_argument("what", choices=("stop-node", "start-node", "cut-node", "heal-node"))
    simulate.add_argument("node", metavar="NODE")
    _output(simulate)


def _of_the_cluster(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    get = _command(
        commands, "get", _get, "print objects as the server's tables", "wherry get pods web-0 --data DIR -o wide"
    )
    get.add_argument("kind", metavar="KIND", help="such as pods, deploy, nodes, events")
    get.add_argument("name", nargs="?", metavar="NAME")
    get.add_argument("-n", "--namespace", default="default")
    get.add_argument("-A", "--all-namespaces", action="store_true")
    get.add_argument("-l", "--selector", default="", help="label selector, such as app=web")
    get.add_argument("-o", "--output", choices=("table", "wide", "json", "yaml", "name"), default="table")

    status = _command(
        commands,
        "status",
        asking.status,
        "say what was read, what is broken or held back, and what is not yet synced and healthy",
        "wherry status --data DIR\n"
        "  wherry status --data DIR --wait 120   (for CI: 0 when all is synced and healthy, 1 when not in time)",
    )
    status.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="until all is synced and healthy; exit 1 when it is not by then (0: look once)",
    )
    _output(status)
    approve = _command(
        commands,
        "approve",
        asking.approve,
        "let the deletions go that `status` shows as held back",
        "wherry approve --data DIR",
    )
    _output(approve)
    diff = _command(
        commands,
        "diff",
        asking.diff,
        "say in what the cluster differs from the folder",
        "wherry diff --data DIR\n\nexit code: 0 nothing differs, 1 something does, 2 it cannot be told",
    )
    _output(diff)
    history = _command(
        commands,
        "history",
        asking.history,
        "say which commit changed what, and when that had come to be; newest first",
        "wherry history Deployment/web --data DIR\n  wherry history -n shop deploy/web --data DIR --output json",
    )
    history.add_argument("object", nargs="?", metavar="OBJECT", help="KIND/NAME or KIND/NAMESPACE/NAME (default: all)")
    history.add_argument("-n", "--namespace", default="default")
    _output(history)

    scheduling = _command(
        commands,
        "explain-scheduling",
        asking.explain_scheduling,
        "say why a pod goes to its node, or to none: filters, scores and the winner, node by node",
        "wherry explain-scheduling web-0 --data DIR\n  wherry explain-scheduling -n shop db-0 --data DIR -o json",
    )
    scheduling.add_argument("pod", metavar="POD")
    scheduling.add_argument("-n", "--namespace", default="default")
    _output(scheduling)

    kubeconfigs.arguments(
        _command(
            commands,
            "kubeconfig",
            kubeconfigs.run,
            "let a person in with a certificate of their own, who may then do what roles allow",
            "wherry kubeconfig --user alice --group dev --data DIR --output alice.kubeconfig",
        )
    )


def _of_manifests(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = _command(
        commands,
        "validate",
        _validate,
        "find every fault of manifests, without a server",
        "wherry validate deploy/ --skip-unknown\n  kubectl kustomize overlays/live | wherry validate - --output github",
        data=False,
    )
    validate.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for what is piped in")
    validate.add_argument("--skip-unknown", action="store_true", help="pass over kinds that are not served")
    validate.add_argument(
        "--field-validation",
        choices=("strict", "warn", "ignore"),
        default="strict",
        help="of unknown fields and duplicate keys (default: strict)",
    )
    validate.add_argument("--output", "-o", choices=("text", "json", "github"), default="text")

    plan = _command(
        commands,
        "plan",
        _plan,
        "say what merging a folder would do to the fleet",
        "wherry plan deploy/ --data /var/lib/wherry\n"
        "  wherry plan deploy/ --nodes nodes.yaml --from origin/main --output markdown\n\n"
        "exit code: 0 no change, 10 changes, 1 faults of the folder, 2 no plan could be made",
        data=False,
    )
    plan.add_argument("path", type=Path, metavar="PATH", help="the folder of manifests, as it would be merged")
    base = plan.add_mutually_exclusive_group()
    base.add_argument("--data", type=Path, metavar="DIR", help="plan for the reconciler of `wherry up --data DIR`")
    base.add_argument("--server", type=Path, metavar="KUBECONFIG", help="plan for the reconciler of this kubeconfig")
    base.add_argument("--nodes", type=Path, metavar="FILE", help="plan for these nodes, of an empty cluster")
    plan.add_argument(
        "--from", dest="revision", metavar="REV", help="before it: what the folder declares at this git revision"
    )
    plan.add_argument(
        "--field-validation",
        choices=("strict", "warn", "ignore"),
        help="of unknown fields and duplicate keys (default: as the reconciler, else strict)",
    )
    plan.add_argument("--output", "-o", choices=("text", "json", "markdown"), default="text")

    convert = _command(
        commands,
        "convert",
        _convert,
        "print the Kubernetes YAML that a Compose project becomes",
        "wherry convert shop/compose.yaml > shop.yaml\n"
        "  wherry convert compose.yaml -f compose.pi.yaml --profile monitoring\n\n"
        "exit code: 0 all of it works, 1 faults, 2 no such file",
        data=False,
    )
    convert.add_argument("path", type=Path, metavar="COMPOSE_FILE", help="the project's main file, or its folder")
    convert.add_argument(
        "-f",
        "--file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="merged over it, in place of others",
    )
    convert.add_argument("--profile", action="append", default=[], metavar="NAME", help="take its services, too")
    convert.add_argument("--output", "-o", choices=("yaml", "json"), default="yaml")


def _seconds(text: str) -> float:
    if not text.isdecimal() or int(text) > MAX_WAIT:
        raise argparse.ArgumentTypeError(f"expected seconds from 0 to {MAX_WAIT}, found {text!r}")
    return float(text)


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
    *,
    data: bool = True,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if data:
        parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the folder that holds all state")
    parser.set_defaults(run=run)
    return parser


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", "-o", choices=("text", "json"), default="text")


def _get(arguments: argparse.Namespace) -> int:
    from reconciler.api import client

    return client.get(
        Box(arguments.data.absolute()).kubeconfig,
        arguments.kind,
        arguments.name,
        namespace=None if arguments.all_namespaces else arguments.namespace,
        selector=arguments.selector,
        output=arguments.output,
    )


def _validate(arguments: argparse.Namespace) -> int:
    from reconciler import validate
    from reconciler.manifests.survey import NoSuchPath, survey

    try:
        states = survey(arguments.paths, arguments.field_validation.title())
    except NoSuchPath as error:
        print(f"wherry: {error}", file=sys.stderr)
        return 2
    report = validate.judge(states, skip_unknown=arguments.skip_unknown)
    if said := validate.say(report, arguments.output):
        print(said)
    print(validate.summary(report), file=sys.stderr)
    return report.exit_code


def _plan(arguments: argparse.Namespace) -> int:
    from reconciler.plan import command  # controllers and scheduler, which few commands need

    if arguments.data is not None:
        arguments.server = Box(arguments.data.absolute()).kubeconfig
    return command.plan(arguments)


def _convert(arguments: argparse.Namespace) -> int:
    from reconciler.convert import run

    return run(arguments.path, arguments.file, arguments.profile, arguments.output)
