"""Port-forward as the channel protocol has it, which the Python client speaks: two channels for each port asked for.

The first message on each channel is its port, in two bytes. A direction cannot be ended by itself here.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import WSMsgType, web

from reconciler.api.streams.channels import V4, output
from reconciler.api.streams.forwarding import Connect, Inbox, join
from reconciler.link.rpc import Refused

PROTOCOLS = (V4,)
MAX_PORTS = 64


async def carry(client: web.WebSocketResponse, ports: Sequence[int], connect: Connect) -> None:
    """Until the client has gone."""
    inboxes = [Inbox() for _ in ports]
    carriers = [
        asyncio.create_task(_carry_one(client, index, port, inbox, connect), name=f"port-forward[{port}]")
        for index, (port, inbox) in enumerate(zip(ports, inboxes, strict=True))
    ]
    try:
        async for message in client:
            if message.type is not WSMsgType.BINARY:
                break
            channel, content = message.data[:1], message.data[1:]
            if content and channel[0] % 2 == 0 and channel[0] // 2 < len(inboxes):
                await inboxes[channel[0] // 2].put(content)
    finally:
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)


async def _carry_one(client: web.WebSocketResponse, index: int, port: int, inbox: Inbox, connect: Connect) -> None:
    async def send(data: bytes | None) -> None:
        if data:
            await client.send_bytes(output(2 * index, data))

    try:
        for channel in (2 * index, 2 * index + 1):
            await client.send_bytes(output(channel, port.to_bytes(2, "little")))
        try:
            end = await join(await connect(port), inbox, send)
        except Refused as refused:
            end = refused.end
        if end.message:
            await client.send_bytes(output(2 * index + 1, end.message.encode()))
    finally:
        inbox.close()
    await client.close()
