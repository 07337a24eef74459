"""How calls travel over the node's own socket: the frames of `schemas.rpc`, each with its length before it.

A connection is one call, or one question: then its only payload is the question's name, and the only answer JSON.
"""

import asyncio

LENGTH = 4
"""Bytes, the most significant first."""
MAX_PAYLOAD = 1024 * 1024
STATUS, PODS, METRICS = b"status", b"pods", b"metrics"
QUESTIONS = (STATUS, PODS, METRICS)


class Torn(Exception):
    """The other side has gone, or is none of ours."""


def wrapped(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH, "big") + payload


async def receive(reader: asyncio.StreamReader, most: int = MAX_PAYLOAD) -> bytes:
    """The next payload. Raises `Torn`."""
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH), "big")
        if length > most:
            raise Torn(f"{length} bytes announced, more than {most}")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Torn(str(error)) from None
