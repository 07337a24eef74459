"""Gives running containers other resources, and keeps on disk what they were given: the runtime does not tell it.

The file is written after the runtime has done it. An agent that is killed in between asks for the same once more.
"""

import os

import msgspec
from msgspec.structs import replace

from nodeagent.pods.actions import ResizeContainers
from nodeagent.pods.context import Context
from nodeagent.pods.memory import PodMemory
from nodeagent.pods.node import Directories
from nodeagent.pods.podstate import PodState
from nodeagent.pods.resizing import Given
from nodeagent.pods.resources import CPU_PERIOD, cpu_quota, cpu_shares, memory_limit
from nodeagent.pods.sandboxconfig import sandbox_config
from nodeagent.runtime.interface import Resources, RuntimeFailure, Unavailable
from schemas.core.container import Container, ResourceRequirements

MAX_FILE = 1024 * 1024
NAME = "resources.json"


async def resize(context: Context, state: PodState, action: ResizeContainers) -> PodMemory:
    """What the pod remembers then. Raises `RuntimeFailure` and `OSError`."""
    sandbox = state.observed.sandbox
    attempt = sandbox.attempt if sandbox else 0
    config = sandbox_config(state.facts(context.node), context.directories, attempt, state.start_time)
    containers = {id_: state.container(name) for name, id_ in action.containers}
    has_v2 = context.node.has_cgroup_v2
    try:
        await context.runtime.resize({id_: limits(one, has_v2) for id_, one in containers.items()}, config)
    except Unavailable:
        raise
    except RuntimeFailure as error:
        state.memory = replace(state.memory, resize_error=str(error))
        context.event(state.pod, "Warning", "ResizeError", f"Pod resize failed: {error}")
        raise
    given = {**state.memory.given, **{id_: one.resources for id_, one in containers.items()}}
    _write(context.directories, state.uid, given)
    names = ", ".join(name for name, _ in action.containers)
    context.event(state.pod, "Normal", "ResizeCompleted", f"Pod resize completed for container {names}")
    return replace(state.memory, given=given, resize_error="")


def limits(container: Container, has_cgroup_v2: bool) -> Resources:
    return Resources(
        cpu_shares=cpu_shares(container),
        cpu_quota=cpu_quota(container),
        cpu_period=CPU_PERIOD,
        memory_limit=memory_limit(container),
        swap_limit=memory_limit(container) if has_cgroup_v2 else 0,
    )


def _write(directories: Directories, uid: str, given: Given) -> None:
    path = directories.pod_data(uid) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(msgspec.json.encode(given))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def read(directories: Directories, uid: str) -> Given:
    try:
        with (directories.pod_data(uid) / NAME).open("rb") as file:
            return msgspec.json.decode(file.read(MAX_FILE), type=dict[str, ResourceRequirements])
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return {}  # as after a power cut: what the spec asks for is asked of the runtime once more
