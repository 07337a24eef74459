"""Exec and attach: a WebSocket on one side, a stream to the node on the other."""

import asyncio

from aiohttp import WSMsgType, web

from reconciler.api.streams import channels
from reconciler.link.rpc import Refused, Rpc
from schemas.rpc import CANCELLED, STDERR, STDIN, STDOUT, AttachRequest, Close, Data, End, ExecRequest
from schemas.streaming import Ended, Stream


async def carry(rpc: Rpc, node: str, request: ExecRequest | AttachRequest, client: web.WebSocketResponse) -> None:
    """Until the process has ended or the client has gone; the last message says how it went."""
    try:
        stream = await rpc.open(node, request)
    except Refused as refused:
        await _conclude(client, refused.end)
        return
    try:
        inward = asyncio.create_task(_inward(client, stream), name="stream-input")
        try:
            while (frame := await stream.receive()) is not None:
                body, data = frame
                if isinstance(body, Data) and body.channel in (STDOUT, STDERR):
                    await client.send_bytes(channels.output(body.channel, data))
        finally:
            inward.cancel()
            await asyncio.gather(inward, return_exceptions=True)
    except ConnectionError:
        return  # the client has gone; the stream is ended below
    finally:
        stream.finish()
    await _conclude(client, stream.end or CANCELLED)


async def _inward(client: web.WebSocketResponse, stream: Stream) -> None:
    """What the client types. When it has gone the stream ends, and with it the waiting for output."""
    protocol = client.ws_protocol or channels.V4
    try:
        async for message in client:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                break
            content = message.data if message.type is WSMsgType.BINARY else message.data.encode()
            match channels.read(content, protocol):
                case Data(), data:
                    await stream.write(STDIN, data)
                case Close(), _:
                    stream.close(STDIN)
                case (size, _):
                    stream.resize(size.width, size.height)
        stream.finish()
    except Ended:
        return


async def _conclude(client: web.WebSocketResponse, end: End) -> None:
    if not client.closed:
        await client.send_bytes(channels.last_word(end))
        await client.close()
