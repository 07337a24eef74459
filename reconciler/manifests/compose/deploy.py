"""How many pods a service has, where they run, what they may use, and how they are replaced and restarted."""

from collections.abc import Iterator

from reconciler.manifests.compose.model import Deploy, Expression, Resources
from reconciler.manifests.compose.nodes import Node
from reconciler.manifests.compose.reading import Fields, as_scalar, as_text, attempt, one_of
from reconciler.manifests.compose.resources import annotations
from reconciler.manifests.compose.syntax import millicores, quantity, size

_KINDS = {"replicated": "Deployment", "global": "DaemonSet", "replicated-job": "Job"}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
_LABELS = {
    "node.hostname": "kubernetes.io/hostname",
    "node.platform.os": "kubernetes.io/os",
    "node.platform.arch": "kubernetes.io/arch",
}


def read_deploy(fields: Fields, *, is_awaited: bool) -> Deploy:
    """`is_awaited`: another service waits until this one has completed, which makes it a Job."""
    deploy = fields.below("deploy")
    mode = deploy.read("mode", lambda node: one_of(as_text(node), tuple(_KINDS)))
    kind = "Job" if is_awaited else _KINDS[mode or "replicated"]
    restart, attempts = _restart(fields, deploy, kind)
    update = deploy.below("update_config")
    order = update.read("order", lambda node: one_of(as_text(node), ("stop-first", "start-first")))
    parallelism = update.integer("parallelism")
    return Deploy(
        kind=kind,
        replicas=_replicas(fields, deploy),
        resources=_resources(fields, deploy.below("resources")),
        start_first=order == "start-first",
        parallelism=1 if parallelism is None else parallelism,
        placement=tuple((*_platform(fields), *_placement(deploy.below("placement")))),
        spread=tuple(_spread(deploy.below("placement"))),
        restart=restart,
        attempts=attempts,
        annotations=annotations(deploy, "labels"),
    )


def _replicas(fields: Fields, deploy: Fields) -> int | None:
    replicas, scale = deploy.integer("replicas"), fields.integer("scale")
    if replicas is not None and scale is not None and replicas != scale:
        fields.error("scale", f"differs from deploy.replicas ({replicas}); keep one of the two")
    return scale if replicas is None else replicas


def _restart(fields: Fields, deploy: Fields, kind: str) -> tuple[str, int | None]:
    """When the container is to be restarted, as `always`, `on-failure` or `no`, and how often at most."""
    policy = deploy.below("restart_policy")
    condition = policy.read("condition", lambda node: one_of(as_text(node), ("any", "on-failure", "none")))
    attempts = policy.integer("max_attempts")
    written, _, count = fields.text("restart").partition(":")
    if written not in ("", "no", "always", "on-failure", "unless-stopped", "false"):
        fields.error("restart", f"expected no, always, on-failure or unless-stopped, found {written!r}")
    if count.isdecimal() and attempts is None:
        attempts = int(count)
    if condition:
        restart = {"any": "always", "none": "no"}.get(condition, condition)
    else:
        restart = {"unless-stopped": "always", "false": "no"}.get(written, written)
    if kind != "Job" and restart in ("no", "on-failure"):
        where = policy if condition else fields
        message = f"a {kind} always restarts; for what ends by itself write `deploy: {{mode: replicated-job}}`"
        where.warning("condition" if condition else "restart", message)
    return restart, attempts


# Resources


def _resources(fields: Fields, resources: Fields) -> Resources:
    """Those of `deploy`, and the older keys where it says nothing."""
    limits, reservations = resources.below("limits"), resources.below("reservations")
    return Resources(
        cpu_limit=_cpus(limits, "cpus") or _cpus(fields, "cpus"),
        memory_limit=_memory(limits, "memory") or _memory(fields, "mem_limit"),
        cpu_reserved=_cpus(reservations, "cpus"),
        memory_reserved=_memory(reservations, "memory") or _memory(fields, "mem_reservation"),
    )


def _cpus(fields: Fields, key: str) -> str:
    found = fields.read(key, lambda node: millicores(as_scalar(node)))
    return "" if found in (None, "0") else str(found)  # 0 means no limit


def _memory(fields: Fields, key: str) -> str:
    found = fields.read(key, lambda node: size(as_scalar(node)))
    return quantity(found) if found else ""


# Placement


def _platform(fields: Fields) -> Iterator[Expression]:
    if not (platform := fields.text("platform")):
        return
    system, _, rest = platform.partition("/")
    architecture = rest.partition("/")[0]
    if not architecture and system != "linux":
        system, architecture = "linux", system
    if system != "linux":
        fields.error("platform", f"nodes run Linux, not {system}; name an image for linux")
    elif architecture:
        yield Expression("kubernetes.io/arch", "In", _ARCHITECTURES.get(architecture, architecture))


def _placement(fields: Fields) -> Iterator[Expression]:
    for node, path, _ in fields.each("constraints"):
        if found := attempt(node, path, fields.report, _constraint):
            yield found


def _constraint(node: Node) -> Expression:
    text = as_text(node)
    for sign, operator in (("!=", "NotIn"), ("==", "In")):
        left, found, right = (part.strip() for part in text.partition(sign))
        if not found:
            continue
        if left.startswith("node.labels.") and right:
            return Expression(left.removeprefix("node.labels."), operator, right)
        if left in _LABELS and right:
            value = _ARCHITECTURES.get(right, right) if left == "node.platform.arch" else right
            return Expression(_LABELS[left], operator, value)
        known = ", ".join(("node.labels.NAME", *_LABELS))
        raise ValueError(f"{left or 'nothing'} is nothing that a node is known by; there are {known}")
    raise ValueError(f"expected a comparison with == or !=, found {text!r}")


def _spread(fields: Fields) -> Iterator[str]:
    for node, path in fields.items("preferences"):
        if spread := Fields(node, path, fields.report).text("spread"):
            yield _LABELS.get(spread, spread.removeprefix("node.labels."))
