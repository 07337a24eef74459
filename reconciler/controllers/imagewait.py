"""An update stops no pod before its node has the new image: whether a pod has to be left running for that. Pure.

Nodes are told which images updates will need (`reconciler.link.readying`) and tell how these stand, which the link
keeps in an annotation of the Node where there is something to tell. Who replaces a pod asks here first. Nothing is
waited for on a node whose agent tells nothing of images or is not there, and an image that its node has failed to get
for too long is no reason any more: then it goes as it goes in Kubernetes, and an Event says so. So the time is bounded
by the node, which alone knows whether a pull gets on.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from reconciler.store.changes import Emit
from reconciler.store.view import Event, View
from schemas.core.node import Node
from schemas.core.pod import Pod, PodSpec, PodTemplateSpec
from schemas.messages import IMAGE_FAILED, IMAGE_PRESENT
from schemas.meta import Object, Ref, controller_of

STATES = "wherry.dev/images"
"""Annotation of a Node: how each image stands that is wanted there ahead of its pods, as JSON. An agent that tells of
them and has none to fetch has no annotation; `null` is of one that does not tell."""
NOTHING_WANTED = "{}"
NOT_TOLD = "null"
AGENT_VERSION = "-wherry"
"""Part of the kubelet version of a node that has an agent; others are nodes in name only."""


def images_of(template: PodTemplateSpec | None) -> frozenset[str]:
    """Those that a node may have to pull for a pod of the template."""
    return images_of_spec(template.spec) if template is not None and template.spec is not None else frozenset()


def images_of_spec(spec: PodSpec) -> frozenset[str]:
    """Those of a pod, but for such as are never pulled."""
    found = {one.image for one in spec.containers if one.image_pull_policy != "Never"}
    found |= {one.image for one in spec.init_containers if one.image_pull_policy != "Never"}
    found |= {one.image.reference for one in spec.volumes if one.image and one.image.pull_policy != "Never"}
    return frozenset(found - {""})


def awaited(pod: Pod, template: PodTemplateSpec, view: View) -> str:
    """An image of the template that the pod's node is still fetching; empty where nothing is to be waited for."""
    return awaited_on(pod.spec.node_name, lacking(pod, template), view)


def lacking(pod: Pod, template: PodTemplateSpec) -> frozenset[str]:
    """Images of the template that the pod itself does not use."""
    return images_of(template) - images_of_spec(pod.spec)


def awaited_on(node: str, images: frozenset[str], view: View) -> str:
    """One of these that the node is still fetching; empty where nothing is to be waited for."""
    for image, state in _states(node, images, view):
        if state != IMAGE_PRESENT and not state.startswith(IMAGE_FAILED):
            return image
    return ""


def given_up(owner: Object, pod: Pod, template: PodTemplateSpec, view: View, component: str) -> Iterator[Emit]:
    """Says of a pod that is replaced now that its node could not get the new image."""
    node = pod.spec.node_name
    for image, state in _states(node, lacking(pod, template), view):
        if state.startswith(IMAGE_FAILED):
            why = state.removeprefix(IMAGE_FAILED).lstrip(": ")
            text = f'Replacing pod {pod.metadata.name} although node {node} cannot pull image "{image}": {why}'
            yield Emit(owner, "Warning", "ImageNotReady", text, component)


def _states(name: str, images: frozenset[str], view: View) -> Iterator[tuple[str, str]]:
    """How those of the images stand that the node has not got as far as the cluster knows; sorted."""
    node = view.get(Node, "", name) if images and name else None
    states = _parsed(_told(node)) if node is not None and _is_ready(node) else None
    if node is None or states is None:
        return
    there = {name for image in node.status.images for name in image.names}
    for image in sorted(images):
        if not there & {image, f"docker.io/library/{image}", f"docker.io/{image}"}:
            yield image, states.get(image, "")


def _told(node: Node) -> str:
    """As the annotation would say it."""
    info = node.status.node_info
    has_agent = info is not None and AGENT_VERSION in info.kubelet_version
    return node.metadata.annotations.get(STATES, NOTHING_WANTED if has_agent else NOT_TOLD)


@lru_cache(maxsize=4096)
def _parsed(written: str) -> Mapping[str, str] | None:
    try:
        return msgspec.json.decode(written, type=dict[str, str])
    except msgspec.DecodeError:
        return None  # the agent does not tell; or written by a person, and no reason to stop an update


def _is_ready(node: Node) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in node.status.conditions)


def owners(event: Event, kind: str, view: View) -> Iterable[Ref]:
    """Of a node whose images stand otherwise than before, or that has come or gone: whose pods of that kind it runs."""
    node = event.object
    if not isinstance(node, Node) or _said(event.old) == _said(event.new):
        return ()
    found = set()
    for pod in view.pods_on(node.metadata.name):
        owner = controller_of(pod)
        if owner is not None and owner.kind == kind:
            found.add(Ref(kind, pod.metadata.namespace, owner.name))
    return sorted(found)


def _said(node: Object | None) -> tuple[str | None, bool]:
    if not isinstance(node, Node):
        return None, False
    return _told(node), _is_ready(node)
