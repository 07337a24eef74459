"""Clients that ask a Service, one connection for each question: `python -m tests.lab.load ADDRESS PORT`.

They ask at most `--rate` times a second until they are interrupted, or as fast as they can `--times` times, and print
one JSON object: how long each answer took to come and who gave it, and what failed when.
"""

import argparse
import asyncio
import json
import signal
import time
from collections import Counter

TOGETHER = 64
"""Connections at once, at most."""
PATIENCE = 15.0


class Clients:
    """`answers` and `last_answer` (time since the epoch) by who answered; `failures` as pairs of time and reason."""

    def __init__(self, address: str, port: int, host: str) -> None:
        self._address, self._port = address, port
        self._question = f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode()
        self._room = asyncio.Semaphore(TOGETHER)
        self.answers: Counter[str] = Counter()
        self.last_answer: dict[str, float] = {}
        self.failures: list[tuple[float, str]] = []

    async def ask(self) -> None:
        async with self._room:
            began = time.time()
            try:
                async with asyncio.timeout(PATIENCE):
                    name = await self._answer()
            except (TimeoutError, OSError, ValueError) as error:
                self.failures.append((began, f"{type(error).__name__}: {error}"))
            else:
                self.answers[name] += 1
                self.last_answer[name] = max(began, self.last_answer.get(name, 0))

    def are_all_busy(self) -> bool:
        return self._room.locked()

    async def _answer(self) -> str:
        reader, writer = await asyncio.open_connection(self._address, self._port)
        try:
            writer.write(self._question)
            said = await reader.read()
        finally:
            writer.close()
        if said.split(b" ", 2)[1:2] != [b"200"]:
            raise ValueError(f"answered {said[:40]!r}")
        return said.rpartition(b"\r\n")[2].decode().strip()


async def main(arguments: argparse.Namespace) -> None:
    clients, stop = Clients(arguments.address, arguments.port, arguments.host), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    began = time.time()
    if arguments.times:
        await asyncio.gather(*(clients.ask() for _ in range(arguments.times)))
    else:
        print("ready", flush=True)
        async with asyncio.TaskGroup() as asking:
            while not stop.is_set():
                if not clients.are_all_busy():  # what a busy machine does not get to ask is not asked later on
                    asking.create_task(clients.ask())
                await asyncio.sleep(1 / arguments.rate)
    seconds = time.time() - began
    told = {
        "rate": sum(clients.answers.values()) / seconds,
        "answers": clients.answers,
        "last_answer": clients.last_answer,
        "failures": clients.failures,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="")
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--times", type=int, default=0)
    asyncio.run(main(parser.parse_args()))
