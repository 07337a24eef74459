"""Images as volumes: mounted before the containers start, and let go of when the pod has ended, by whatever agent."""

from collections.abc import Callable

from schemas.core.pod import Pod
from tests.unit.nodeagent.pods.builders import Node, pod
from tests.unit.nodeagent.pods.virtual import until

Play = Callable[..., None]


def shown(uid: str = "u1", reference: str = "model:1") -> Pod:
    main = {"name": "main", "image": "app:1", "volumeMounts": [{"name": "model", "mountPath": "/model"}]}
    return pod(uid, uid, containers=[main], volumes=[{"name": "model", "image": {"reference": reference}}])


def test_an_image_is_held_while_its_pod_is_there(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(shown())
        await until(node.is_ready)
        assert list(node.runtime.mounted_images) == ["wherry-u1-model"]
        await node.restart_agent()
        node.accept(shown())
        await until(node.is_ready)
        assert list(node.runtime.mounted_images) == ["wherry-u1-model"]
        node.accept()
        await until(lambda: not node.runtime.mounted_images)

    play(scene)


def test_what_an_agent_before_did_not_let_go_of_is_let_go_of(play: Play) -> None:
    async def scene(node: Node) -> None:
        node.accept(shown())
        await until(node.is_ready)
        await node.stop_agent()
        for sandbox in await node.runtime.list_sandboxes():
            await node.runtime.remove_sandbox(sandbox.id)
        assert node.runtime.mounted_images
        await node.restart_agent()
        node.accept()
        await until(lambda: not node.runtime.mounted_images)
        await until(lambda: not list(node.directories.pods.iterdir()))

    play(scene)
