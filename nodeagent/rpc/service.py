"""What calls are about, on this node: finds the container, opens what is asked for, and serves it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nodeagent.pods.observed import Observed
from nodeagent.pods.podstate import PodState
from nodeagent.rpc import which
from nodeagent.rpc.calls import Call, Refusal
from nodeagent.runtime.interface import Runtime, State, Streams
from schemas.rpc import STDOUT, AttachRequest, ConnectRequest, End, ExecRequest, LogRequest, Request


class Service:
    """`states`: what is known of each pod, by uid."""

    def __init__(self, runtime: Runtime, states: Callable[[], Mapping[str, PodState]]) -> None:
        self._runtime, self._states = runtime, states
        self._followers: dict[str, set[asyncio.Event]] = {}

    def pod_changed(self, uid: str) -> None:
        """The pod is not as it was: one of its containers may have ended."""
        for follower in self._followers.get(uid, ()):
            follower.set()

    async def serve(self, request: Request, call: Call) -> End:
        """Raises `Refusal`, `RuntimeFailure`, `OSError` or `Ended`."""
        state = self._states().get(request.uid)
        if state is None:
            raise Refusal(404, "NotFound", "the node does not have this pod (yet, or any more)")
        match request:
            case LogRequest():
                return await self._log(request, call, state)
            case ExecRequest():
                return await self._exec(request, call, state)
            case AttachRequest():
                return await self._attach(request, call, state)
            case ConnectRequest():
                return await self._connect(request, call, state)

    async def _log(self, request: LogRequest, call: Call, state: PodState) -> End:
        from nodeagent.rpc.logs import serve_log

        pod = state.pod.metadata.name
        found = which.logged(pod, request.container, state.status, state.observed, previous=request.previous)
        if isinstance(found, which.NoContainer):
            raise Refusal(found.code, found.reason, found.message)
        instance = which.instance(found, state.observed)
        if instance is None or not instance.log_path or not Path(instance.log_path).exists():
            call.start()
            await call.stream.write(STDOUT, f"unable to retrieve container logs for {found}".encode())
            return End()
        id_ = instance.id
        with self._told_of(request.uid) as changed:
            return await serve_log(
                request, call, Path(instance.log_path), changed, lambda: self._is_running(request.uid, id_)
            )

    async def _exec(self, request: ExecRequest, call: Call, state: PodState) -> End:
        from nodeagent.rpc.sessions import serve_session

        container = which.running(request.container, state.observed)
        if container is None:
            raise _not_there(f'container not found ("{request.container}")')
        session = await self._runtime.exec_session(container.id, request.command, _streams(request))
        return await serve_session(call, session)

    async def _attach(self, request: AttachRequest, call: Call, state: PodState) -> End:
        from nodeagent.rpc.sessions import serve_session

        container = which.running(request.container, state.observed)
        if container is None:
            meta = state.pod.metadata
            raise _not_there(f"container {request.container} not found in pod {meta.name}_{meta.namespace}")
        session = await self._runtime.attach_session(container.id, _streams(request))
        return await serve_session(call, session)

    async def _connect(self, request: ConnectRequest, call: Call, state: PodState) -> End:
        from nodeagent.rpc.connections import serve_connection

        sandbox = state.observed.sandbox
        if sandbox is None or not sandbox.ready:
            raise Refusal(503, "ServiceUnavailable", f"pod {state.pod.metadata.name} is not running")
        return await serve_connection(call, await self._runtime.connect(sandbox.id, request.port))

    def _is_running(self, uid: str, container_id: str) -> bool:
        state = self._states().get(uid)
        known = which.instance(container_id, state.observed if state else Observed())
        return known is not None and known.state is State.RUNNING

    @contextmanager
    def _told_of(self, uid: str) -> Iterator[asyncio.Event]:
        follower = asyncio.Event()
        followers = self._followers.setdefault(uid, set())
        followers.add(follower)
        try:
            yield follower
        finally:
            followers.discard(follower)
            if not followers:
                self._followers.pop(uid, None)


def _streams(request: ExecRequest | AttachRequest) -> Streams:
    return Streams(request.stdin, request.stdout, request.stderr, request.tty)


def _not_there(message: str) -> Refusal:
    return Refusal(404, "NotFound", f"unable to upgrade connection: {message}")
