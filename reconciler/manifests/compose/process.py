"""What runs in a service's container: image, command, environment, hooks, healthcheck."""

from collections.abc import Mapping
from math import ceil

from reconciler.manifests.compose.dotenv import read_variables
from reconciler.manifests.compose.model import Healthcheck, Process
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.paths import within
from reconciler.manifests.compose.reading import Fields, as_text, attempt
from reconciler.manifests.compose.source import Read
from reconciler.manifests.compose.syntax import words

_PULL = {"always": "Always", "never": "Never", "missing": "IfNotPresent", "if_not_present": "IfNotPresent"}


def read_process(fields: Fields, variables: Mapping[str, str], read: Read) -> Process:
    """What the container runs."""
    return Process(
        image=_image(fields),
        pull_policy=_pull_policy(fields),
        entrypoint=_command(fields, "entrypoint"),
        command=_command(fields, "command"),
        working_dir=fields.text("working_dir"),
        environment=_environment(fields, variables, read),
        tty=bool(fields.boolean("tty")),
        stdin=bool(fields.boolean("stdin_open")),
        stop_signal=_signal(fields),
        post_start=_hook(fields, "post_start"),
        pre_stop=_hook(fields, "pre_stop"),
    )


def _image(fields: Fields) -> str:
    image, build = fields.text("image"), fields.get("build")
    if build is not None and not image:
        fields.error("build", "images are not built here; build and push it, and name it in `image`")
    elif build is not None:
        fields.warning("build", f"images are not built here; {image} has to be in a registry, or on the nodes")
    elif not image:
        fields.report.error(fields.node, fields.path, "`image` is missing: every service needs one")
    return image


def _pull_policy(fields: Fields) -> str:
    policy = fields.text("pull_policy")
    if policy in _PULL or not policy:
        return _PULL.get(policy, "IfNotPresent")
    if policy == "build":
        fields.warning("pull_policy", "images are not built here; the image is pulled if it is not on the node")
        return "IfNotPresent"
    if policy in ("daily", "weekly", "refresh") or policy.startswith("every_"):
        fields.warning("pull_policy", "no image is pulled by the clock; it is pulled whenever a container starts")
        return "Always"
    fields.error("pull_policy", f"expected always, never or missing, found {policy!r}")
    return "IfNotPresent"


def _command(fields: Fields, key: str) -> tuple[str, ...] | None:
    child = fields.get(key)
    if child is None or isinstance(child.value, list):
        return None if child is None else tuple(fields.texts(key))
    return attempt(child, (*fields.path, key), fields.report, lambda node: tuple(words(as_text(node))))


def _signal(fields: Fields) -> str:
    signal = fields.text("stop_signal").upper()
    if signal.isdecimal():
        fields.error("stop_signal", f"expected a name such as SIGINT, found {signal}")
        return ""
    return signal if signal.startswith("SIG") or not signal else f"SIG{signal}"


def _hook(fields: Fields, key: str) -> tuple[str, ...]:
    hooks = fields.items(key)
    if len(hooks) > 1:
        fields.error(key, "a container has one hook of each sort; put the commands into one, with `sh -c`")
    return next((_command(Fields(node, path, fields.report), "command") or () for node, path in hooks), ())


# Variables


def _environment(fields: Fields, variables: Mapping[str, str], read: Read) -> dict[str, str]:
    environment: dict[str, str] = {}
    for node, path in fields.items("env_file"):
        entry = Fields(node, path, fields.report) if node.map else None
        name = entry.text("path") if entry else attempt(node, path, fields.report, as_text)
        raw = entry is not None and entry.text("format") == "raw"
        required = entry is None or entry.boolean("required") is not False
        target = within(node.base, name) if name else None
        content = read(target) if target else None
        if content is None or target is None:
            if required:
                message = f"{name} is not in the folder; add it, or write `required: false`"
                fields.report.error(node, path, message)
            continue
        file = read_variables(content, {**variables, **environment}, raw=raw)
        for problem in file.problems:
            place = Node(None, target, problem.line, node.base)
            say = fields.report.error if problem.is_error else fields.report.warning
            say(place, (*fields.path, "env_file"), problem.message)
        environment |= {key: _value(key, value, variables) for key, value in file.values.items()}
    for name, (node, value) in fields.pairs("environment").items():
        if value is None and name not in variables:
            message = f"{name} has no value, and .env has none for it; it is left out"
            fields.report.warning(node, (*fields.path, "environment"), message)
            environment.pop(name, None)
            continue
        environment[name] = _value(name, value, variables)
    return environment


def _value(name: str, value: str | None, variables: Mapping[str, str]) -> str:
    return variables.get(name, "") if value is None else value


# Health


def read_healthcheck(fields: Fields) -> Healthcheck | None:
    """The command by which a container is known to be healthy."""
    if fields.get("healthcheck") is None:
        return None
    check = fields.below("healthcheck")
    test = check.get("test")
    if check.boolean("disable") or (test is not None and test.list and test.list[0].value == "NONE"):
        return None
    if test is None:
        fields.warning("healthcheck", "the image's own health check is not known here; write `test`")
        return None
    command = _test(check, test)
    if not command:
        return None
    return Healthcheck(
        command=command,
        interval=_whole(check.seconds("interval"), 30),
        timeout=_whole(check.seconds("timeout"), 30),
        retries=check.integer("retries") or 3,
    )


def _test(check: Fields, test: Node) -> tuple[str, ...]:
    texts = check.texts("test")
    if not isinstance(test.value, list):
        return ("/bin/sh", "-c", *texts) if texts else ()
    match texts[:1]:
        case ["CMD"] if len(texts) > 1:
            return tuple(texts[1:])
        case ["CMD-SHELL"] if len(texts) == 2:
            return ("/bin/sh", "-c", texts[1])
        case _:
            check.error("test", f"expected a list that begins with CMD, CMD-SHELL or NONE, found {texts}")
            return ()


def _whole(seconds: float | None, default: int) -> int:
    """Whole seconds, one at least: probes know no others."""
    return max(1, ceil(seconds)) if seconds else default
