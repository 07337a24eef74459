"""What a probe costs the agent: how many of a kind one core could take in a second, against a server beside it."""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

from nodeagent.pods.checks import Outcome, Result, check_http, check_tcp
from schemas.core.container import Container, HTTPGetAction
from tests.benchmarks.output import end_in_order, say

COUNT, AT_ONCE = 5_000, 20
NEEDED = 1_000

SERVER = """
import asyncio

async def answer(reader, writer):
    if await reader.read(4096):
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


async def per_core(probe: Callable[[], Awaitable[Result]]) -> float:
    """Probes for each second that this process had a core."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            result = await probe()
        assert result.outcome is Outcome.SUCCESS, result.output

    await asyncio.gather(*(one() for _ in range(200)))  # warms up
    began = time.process_time()
    await asyncio.gather(*(one() for _ in range(COUNT)))
    return COUNT / (time.process_time() - began)


async def measure(port: int) -> None:
    action, container = HTTPGetAction(port=port, path="/"), Container(name="main")
    http = await per_core(lambda: check_http(action, container, "127.0.0.1", 10))
    say("http_probes_per_core", http, "1/s", peer="needed", peer_value=NEEDED)
    tcp = await per_core(lambda: check_tcp("127.0.0.1", port, 10))
    say("tcp_probes_per_core", tcp, "1/s", peer="needed", peer_value=NEEDED)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    end_in_order()
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        asyncio.run(measure(int(server.stdout.readline())))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
