"""Images as volumes of a pod: pulled like a container's, mounted, and let go of."""

import asyncio

from nodeagent.images.pulls import ImageTrouble
from nodeagent.pods.context import Context
from nodeagent.pods.podstate import PodState
from nodeagent.runtime.interface import RuntimeFailure, Unavailable
from nodeagent.volumes import mounts
from nodeagent.volumes.plan import ImageVolume, VolumeFault
from schemas.messages import config_key


async def mount_image(context: Context, state: PodState, planned: ImageVolume) -> None:
    """Raises `VolumeFault`, and `Unavailable`."""
    pod, target = state.pod, context.volumes.path(state.uid, planned)
    if target.exists() and target in mounts.mounted_below(target.parent):
        return  # by an agent before this one: what runs keeps the image that it has
    keys = [config_key("Secret", pod.metadata.namespace, secret.name) for secret in pod.spec.image_pull_secrets]
    secrets = {key: state.configs[key].data for key in keys if key in state.configs}
    image = await context.images.ensure(
        planned.reference,
        planned.policy,
        lambda type_, reason, text: context.event(pod, type_, reason, text),
        secrets,
    )
    if isinstance(image, ImageTrouble):
        raise VolumeFault(planned.name, f"{image.reason}: {image.message}")
    context.volumes.mark_image(state.uid, planned.name)
    try:
        await context.runtime.mount_image(image.id, _key(state.uid, planned.name), target)
    except Unavailable:
        raise
    except RuntimeFailure as error:
        raise VolumeFault(planned.name, f'image "{planned.reference}": {error}') from None


async def release_images(context: Context, uid: str) -> None:
    """Raises `RuntimeFailure`, or `OSError` where something holds on."""
    marked = context.volumes.marked_images(uid)
    if marked:
        await asyncio.to_thread(context.volumes.unmount, uid)
    for name in marked:
        await context.runtime.release_image(_key(uid, name))


def _key(uid: str, volume: str) -> str:
    return f"wherry-{uid}-{volume}"
