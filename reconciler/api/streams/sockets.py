"""WebSockets of streams: which requests may become one, and how a client that has vanished is found out."""

import socket
from collections.abc import Sequence

from aiohttp import web

from reconciler.api.status import StatusError, bad_request

MAX_MESSAGE = 1024 * 1024
KEEPALIVE = (30, 10, 3)
"""Seconds until the kernel asks a silent client whether it is there, seconds between questions, and how many."""


async def upgrade(request: web.Request, protocols: Sequence[str]) -> web.WebSocketResponse:
    """Raises the 400 for a request that asks for no WebSocket, or for none of these protocols."""
    wanted = request.headers.get("Upgrade", "").lower()
    if wanted.startswith("spdy"):
        raise bad_request(
            "streams are served over WebSocket, not over SPDY: use kubectl 1.31 or later, and leave "
            "KUBECTL_REMOTE_COMMAND_WEBSOCKETS and KUBECTL_PORT_FORWARD_WEBSOCKETS unset"
        )
    if wanted != "websocket":
        raise bad_request("Upgrade request required")
    offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if not set(offered) & set(protocols):
        message = f"unsupported WebSocket protocol {', '.join(offered)!r}: offer one of {', '.join(protocols)}"
        raise StatusError(400, "BadRequest", message)
    keep_alive(request)
    response = web.WebSocketResponse(protocols=protocols, compress=False, max_msg_size=MAX_MESSAGE)
    await response.prepare(request)
    return response


def keep_alive(request: web.Request) -> None:
    """A client that was switched off says nothing; its streams must not stay open for ever."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is None:
        return
    idle, interval, count = KEEPALIVE
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
