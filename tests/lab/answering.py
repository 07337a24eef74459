"""A small HTTP server for pods of the lab: says its host's name, and is ready until a file is there.

Whoever asks for an upgrade gets back what it sends.

It runs on the Python of this machine, which its pods mount: `server()` is such a container.
"""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

PORT = 8080
UNREADY = Path("/tmp/unready")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        question = await reader.readuntil(b"\r\n\r\n")
        if b"upgrade: echo" in question.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            while said := await reader.read(1024):
                writer.write(said)
            return
        ready = not (question.startswith(b"GET /ready") and UNREADY.exists())
        status = b"200 OK" if ready else b"503 Service Unavailable"
        writer.write(b"HTTP/1.0 " + status + b"\r\nContent-Type: text/plain\r\n\r\n" + socket.gethostname().encode())
        await writer.drain()
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, None, PORT, backlog=1024)
    await server.serve_forever()


def server(**more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:  # noqa: ANN401 (parts of a manifest)
    """The container, and the volumes that its pod needs."""
    python = Path(sys.executable).resolve()
    mounted = {"/lib": "/lib", "/lib64": "/lib64", "/usr/lib": "/usr/lib", sys.base_prefix: sys.base_prefix}
    mounted[str(Path(__file__).parent)] = "/served"
    paths = [(f"v{number}", source, inside) for number, (source, inside) in enumerate(mounted.items())]
    container = {
        "name": "server",
        "image": "wherry.local/busybox:1",
        "command": [str(python), "-S", "/served/answering.py"],
        "ports": [{"containerPort": PORT, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1},
        "volumeMounts": [{"name": name, "mountPath": inside, "readOnly": True} for name, _, inside in paths],
        **more,
    }
    return container, [
        {"name": name, "hostPath": {"path": source}} for name, source, _ in paths if Path(source).exists()
    ]


if __name__ == "__main__":
    asyncio.run(main())
