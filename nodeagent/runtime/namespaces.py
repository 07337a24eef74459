"""Connections from inside the network of a pod, so that what listens on its loopback alone is reached, too.

A socket belongs to the namespace that the thread was in which made it. Each is made in a thread of its own that
then ends, so that no thread ever has to find its way back.
"""

import asyncio
import ctypes
import os
import socket
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
CONNECT_SECONDS = 10.0


async def connect_inside(namespace: Path, port: int) -> socket.socket:
    """A TCP connection to `localhost` there, not blocking. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[socket.socket] = loop.create_future()

    def settle(result: socket.socket | OSError) -> None:
        if done.done():  # the caller was cancelled meanwhile
            if isinstance(result, socket.socket):
                result.close()
        elif isinstance(result, socket.socket):
            done.set_result(result)
        else:
            done.set_exception(result)

    def work() -> None:
        try:
            result: socket.socket | OSError = _connect(namespace, port)
        except OSError as error:
            result = error
        loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, name="connect-inside", daemon=True).start()
    return await done


def _connect(namespace: Path, port: int) -> socket.socket:
    with namespace.open("rb") as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    refusals = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        made.settimeout(CONNECT_SECONDS)
        try:
            made.connect((address, port))
        except OSError as error:
            made.close()
            refusals.append(f"{address}: {error.strerror or error}")
            continue
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    raise ConnectionRefusedError(f"failed to connect to localhost:{port} inside the pod: {'; '.join(refusals)}")
