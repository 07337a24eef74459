"""Which images nodes would have to fetch for the pods that they get. Pure."""

from collections.abc import Iterable, Iterator

from reconciler.controllers import podstate
from reconciler.plan.outcome import Pull
from reconciler.store.view import View
from schemas.core.node import Node
from schemas.core.pod import Pod


def pulls(before: View, after: View) -> tuple[Pull, ...]:
    """By node and image. What a pod runs from there before, the node has, whether it says so or not."""
    there, sizes = _present(before)
    known = {pod.metadata.uid: pod for pod in before.list(Pod) if pod.spec.node_name}
    wanted: set[tuple[str, str]] = set()
    for pod in after.list(Pod):
        if not pod.spec.node_name or not podstate.active(pod):
            continue
        old = known.get(pod.metadata.uid)
        new = images(pod) if old is None else set(images(pod)) - set(images(old))
        wanted.update((pod.spec.node_name, image) for image in new)
    return tuple(
        Pull(node, image, sizes.get(full_name(image)))
        for node, image in sorted(wanted)
        if (node, full_name(image)) not in there
    )


def images(pod: Pod) -> Iterable[str]:
    return dict.fromkeys(one.image for one in (*pod.spec.init_containers, *pod.spec.containers) if one.image)


def _present(view: View) -> tuple[set[tuple[str, str]], dict[str, int]]:
    there, sizes = set[tuple[str, str]](), dict[str, int]()
    for node in view.list(Node):
        for image in node.status.images:
            for name in map(full_name, image.names):
                there.add((node.metadata.name, name))
                if image.size_bytes:
                    sizes[name] = image.size_bytes
    there.update(_running(view))
    return there, sizes


def _running(view: View) -> Iterator[tuple[str, str]]:
    for pod in view.list(Pod):
        if pod.spec.node_name and pod.status.phase != "Pending":
            for image in images(pod):
                yield pod.spec.node_name, full_name(image)


def full_name(image: str) -> str:
    """As container runtimes complete it: `web` is `docker.io/library/web:latest`."""
    host, slash, rest = image.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", image if slash else f"library/{image}"
    last = rest.rpartition("/")[2]
    return f"{host}/{rest}" if ":" in last or "@" in last else f"{host}/{rest}:latest"
