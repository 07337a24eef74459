"""Carries out the actions of one pod. Decides nothing: each call does one thing and says what is to be remembered."""

import asyncio
import logging
from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from nodeagent.images.pulls import PRESENT, ImageTrouble
from nodeagent.pods import files
from nodeagent.pods.actions import (
    Action,
    CleanUp,
    EnsureImage,
    Finish,
    PrepareVolumes,
    RemoveContainer,
    RemoveSandbox,
    ResizeContainers,
    RunPostStart,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from nodeagent.pods.context import Context
from nodeagent.pods.hooks import run_hook
from nodeagent.pods.imagevolumes import mount_image, release_images
from nodeagent.pods.memory import CREATING, PodMemory, Trouble
from nodeagent.pods.node import logs_in_memory
from nodeagent.pods.observed import observed
from nodeagent.pods.podstate import PodState
from nodeagent.pods.resizer import resize
from nodeagent.pods.resources import all_containers
from nodeagent.pods.sandboxconfig import sandbox_config
from nodeagent.pods.situation import MIN_GRACE
from nodeagent.pods.starting import ConfigFault, configure, runtime_handler
from nodeagent.runtime.interface import RuntimeFailure, SandboxConfig, Unavailable
from nodeagent.volumes.plan import Content, ImageVolume, Local, Share, VolumeFault, plan_volumes
from schemas.core.container import Container, LifecycleHandler
from schemas.core.security import PodSecurityContext
from schemas.messages import config_key

log = logging.getLogger(__name__)

Update = Callable[[PodMemory], PodMemory]
HookCall = tuple[LifecycleHandler, Container, str, float]
"""Handler, container, its id, and seconds that it may take."""
HOOK_LIMIT = 24 * 3600.0
"""Seconds. `postStart` has no limit of its own; a pod that ends does not wait for it."""


class Failed(Exception):
    """The action failed for a reason that has been told; it is tried again after a while, or `on_change` only."""

    def __init__(self, update: Update, on_change: bool = False) -> None:
        super().__init__()
        self.update = update
        self.on_change = on_change


def unchanged(memory: PodMemory) -> PodMemory:
    return memory


class Executor:
    def __init__(self, context: Context, state: PodState, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called where the pod has something new to tell in the middle of an action."""
        self._context = context
        self._state = state
        self._changed = changed
        self._present: dict[str, str] = {}
        """By container, that its image is there: told when it starts, as images are looked for ahead of that."""

    async def perform(self, action: Action) -> Update:
        """Raises `Failed`, `RuntimeFailure` or `OSError`."""
        runtime = self._context.runtime
        match action:
            case PrepareVolumes():
                await self._attach_volumes()
                return self.prepare_volumes()
            case RunSandbox():
                return await self._run_sandbox(action)
            case EnsureImage():
                return await self._ensure_image(action)
            case StartContainer():
                return await self._start_container(action)
            case RunPostStart():
                return await self._run_post_start(action)
            case StopContainer():
                await self._stop_container(action)
            case ResizeContainers():
                return await self._resize(action)
            case StopSandbox():
                return await self._stop_sandbox(action)
            case RemoveSandbox():
                await runtime.remove_sandbox(action.sandbox_id)
            case RemoveContainer():
                await self._remove_container(action)
            case Finish():
                return await self._finish()
            case CleanUp():
                return await self._clean_up()
        return unchanged

    async def _attach_volumes(self) -> None:
        """In a thread: a server may be slow, and a volume hold many files."""
        state, volumes = self._state, self._context.volumes
        rights = state.pod.spec.security_context or PodSecurityContext()
        # What runs already was given its volumes by an agent before this one.
        if_needed = rights.fs_group_change_policy == "OnRootMismatch" or bool(state.observed.live())
        try:
            for planned in plan_volumes(state.facts(self._context.node), state.configs):
                if isinstance(planned, Local | Share):
                    state.volumes[planned.name] = planned  # known to be in use from the first moment
                    await asyncio.to_thread(volumes.attach, state.uid, planned, rights.fs_group, if_needed=if_needed)
                elif isinstance(planned, ImageVolume):
                    await mount_image(self._context, state, planned)
        except VolumeFault as fault:
            raise self._not_mounted(fault) from None

    def _not_mounted(self, fault: VolumeFault) -> Failed:
        self._context.event(self._state.pod, "Warning", "FailedMount", str(fault))
        return Failed(unchanged)

    def prepare_volumes(self) -> Update:
        """Small files and a mount or two: not worth a thread."""
        state = self._state
        rights = state.pod.spec.security_context
        group = rights.fs_group if rights else None
        try:
            for planned in plan_volumes(state.facts(self._context.node), state.configs):
                self._context.volumes.prepare(state.uid, planned, group)
                state.volumes[planned.name] = replace(planned, files={}) if isinstance(planned, Content) else planned
        except VolumeFault as fault:
            raise self._not_mounted(fault) from None
        return lambda memory: replace(memory, volumes_ready=True)

    async def _run_sandbox(self, action: RunSandbox) -> Update:
        state, context = self._state, self._context
        try:
            config = replace(self._sandbox(action.attempt), runtime_handler=runtime_handler(context, state))
            async with context.start_slots:
                if logs_in_memory(state.pod):
                    context.volumes.keep_logs_in_memory()
                config.log_directory.mkdir(parents=True, exist_ok=True)
                sandbox = await context.runtime.run_sandbox(config)
        except Unavailable:
            raise
        except RuntimeFailure as error:
            context.event(state.pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            raise
        except ConfigFault as fault:
            context.event(state.pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {fault}")
            raise Failed(unchanged) from None
        context.owners[sandbox.id] = state.uid
        everything = [one for several in state.observed.containers.values() for one in several]
        others = [one for one in state.observed.sandboxes if one.id != sandbox.id]
        state.observed = observed([sandbox, *others], everything)
        return unchanged

    def _sandbox(self, attempt: int) -> SandboxConfig:
        state, context = self._state, self._context
        return sandbox_config(state.facts(context.node), context.directories, attempt, state.start_time)

    async def _ensure_image(self, action: EnsureImage) -> Update:
        state, context = self._state, self._context
        container, namespace = state.container(action.container), state.pod.metadata.namespace
        keys = [config_key("Secret", namespace, secret.name) for secret in state.pod.spec.image_pull_secrets]
        secrets = {key: state.configs[key].data for key in keys if key in state.configs}
        image = await context.images.ensure(
            container.image,
            container.image_pull_policy,
            lambda type_, reason, text: self._note(container.name, type_, reason, text),
            secrets,
            lambda message: self._show(container.name, Trouble(CREATING, message)),
        )
        name = container.name
        if isinstance(image, ImageTrouble):
            trouble = Trouble(image.reason, image.message)
            at = context.clock.monotonic() + image.retry_in
            return lambda memory: memory.with_container(
                name, replace(memory.of(name), image="", trouble=trouble)
            ).failed(action.key, context.clock.monotonic(), at)
        return lambda memory: memory.with_container(
            name, replace(memory.of(name), image=image.id, image_user=image.user, trouble=None)
        )

    def _show(self, container: str, trouble: Trouble) -> None:
        memory = self._state.memory
        self._state.memory = memory.with_container(container, replace(memory.of(container), trouble=trouble))
        self._changed()

    def _note(self, container: str, type_: Literal["Normal", "Warning"], reason: str, text: str) -> None:
        if text.endswith(PRESENT):
            self._present[container] = text
        else:
            self._context.event(self._state.pod, type_, reason, text, container)

    async def _start_container(self, action: StartContainer) -> Update:
        """Creates and starts. The id is known to all before the start, so that no event of it goes astray."""
        state, context = self._state, self._context
        pod, name = state.pod, action.container
        container = state.container(name)
        if (present := self._present.pop(name, "")) != "":
            context.event(pod, "Normal", "Pulled", present, name)
        reason = "CreateContainerConfigError"
        try:
            config = configure(context, state, container, action.attempt)
            sandbox = self._sandbox(self._sandbox_attempt(action))
            reason = "CreateContainerError"
            async with context.start_slots:
                container_id = await context.runtime.create_container(action.sandbox_id, config, sandbox)
                context.owners[container_id] = state.uid
                context.event(pod, "Normal", "Created", "Container created", name)
                reason = "RunContainerError"
                await context.runtime.start_container(container_id)
        except Unavailable:
            raise
        except (ConfigFault, RuntimeFailure, OSError) as error:
            context.event(pod, "Warning", "Failed", f"Error: {error}", name)
            trouble = Trouble(reason, str(error))
            raise Failed(
                lambda memory: memory.with_container(name, replace(memory.of(name), trouble=trouble)),
                on_change=isinstance(error, ConfigFault) and not error.passing,
            ) from None
        context.event(pod, "Normal", "Started", "Container started", name)
        hooked = container.lifecycle is not None and container.lifecycle.post_start is not None
        due = frozenset([container_id]) if hooked else frozenset()
        return lambda memory: replace(
            memory.with_container(name, replace(memory.of(name), image="", trouble=None)),
            hooks_due=memory.hooks_due | due,
        )

    def _sandbox_attempt(self, action: StartContainer) -> int:
        return next((one.attempt for one in self._state.observed.sandboxes if one.id == action.sandbox_id), 0)

    async def _run_post_start(self, action: RunPostStart) -> Update:
        container = self._state.container(action.container)
        hook = container.lifecycle.post_start if container.lifecycle else None
        fault = await self._hook((hook, container, action.container_id, HOOK_LIMIT)) if hook else ""
        due = frozenset([action.container_id])
        if not fault:
            return lambda memory: replace(memory, hooks_due=memory.hooks_due - due)
        self._context.event(self._state.pod, "Warning", "FailedPostStartHook", "PostStartHook failed", container.name)
        log.info("postStart failed pod=%s container=%s error=%s", self._state.uid, container.name, fault)
        trouble = Trouble("PostStartHookError", fault)
        return lambda memory: replace(
            memory.with_container(container.name, replace(memory.of(container.name), trouble=trouble)),
            hooks_due=memory.hooks_due - due,
            hooks_failed=memory.hooks_failed | due,
        )

    async def _stop_container(self, action: StopContainer) -> None:
        state, context = self._state, self._context
        container = next((one for one in all_containers(state.pod) if one.name == action.container), None)
        signal = container.lifecycle.stop_signal if container and container.lifecycle else ""
        if action.container_id not in state.hooks_run:
            state.hooks_run.add(action.container_id)
            context.event(state.pod, "Normal", "Killing", action.message, action.container)
            hook = container.lifecycle.pre_stop if action.hook and container and container.lifecycle else None
            if hook and container:
                fault = await self._hook((hook, container, action.container_id, action.grace))
                if fault:
                    context.event(state.pod, "Warning", "FailedPreStopHook", "PreStopHook failed", container.name)
        left = max(action.kill_at - context.clock.monotonic(), MIN_GRACE)
        await context.runtime.stop_container(action.container_id, left, signal)

    async def _resize(self, action: ResizeContainers) -> Update:
        after = await resize(self._context, self._state, action)
        return lambda memory: replace(memory, given=after.given, resize_error="")

    async def _hook(self, call: HookCall) -> str:
        handler, container, container_id, timeout = call
        ips = self._state.facts(self._context.node)
        address = next(iter(ips.ips or ips.node.addresses), "127.0.0.1")
        runtime, reach = self._context.runtime, self._context.reach
        return await run_hook(runtime, reach, handler, container, container_id, address, timeout)

    async def _stop_sandbox(self, action: StopSandbox) -> Update:
        if action.changed:
            message = "Pod sandbox changed, it will be killed and re-created."
            self._context.event(self._state.pod, "Normal", "SandboxChanged", message)
        await self._context.runtime.stop_sandbox(action.sandbox_id)
        return lambda memory: replace(memory, stopped_sandboxes=memory.stopped_sandboxes | {action.sandbox_id})

    async def _remove_container(self, action: RemoveContainer) -> None:
        """The log goes first: a removed container would leave nobody who knows of it."""
        several = self._state.observed.containers.get(action.container, ())
        for instance in several:
            if instance.id == action.container_id:
                files.remove_logs(self._context.directories, self._state.pod, instance.name, instance.attempt)
        await self._context.runtime.remove_container(action.container_id)

    async def _finish(self) -> Update:
        state, directories = self._state, self._context.directories
        await release_images(self._context, state.uid)
        await asyncio.to_thread(self._context.volumes.remove_volumes, state.uid)
        files.write_finished(directories, state.uid, files.Finished(state.status, self._context.clock.now()))
        return lambda memory: replace(memory, finished=True)

    async def _clean_up(self) -> Update:
        state = self._state
        logs = self._context.directories.pod_logs(state.pod)
        await release_images(self._context, state.uid)
        await asyncio.to_thread(self._context.volumes.remove, state.uid)
        await asyncio.to_thread(files.remove_tree, logs)
        return lambda memory: replace(memory, cleaned=True)
