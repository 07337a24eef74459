"""One end of a benchmark's connections, run in a network namespace: `serve ADDRESS...`, or `connect`.

The one that connects reads `ADDRESS COUNT` line by line, and prints the microseconds that each connection took to be
there, and the seconds for all of them.
"""

import json
import selectors
import socket
import struct
import sys
import time

PORT = 8080
_RESET = struct.pack("ii", 1, 0)
"""For `SO_LINGER`: a connection that is closed leaves nothing that waits."""


def serve(addresses: list[str]) -> None:
    waiting = selectors.DefaultSelector()
    for address in addresses:
        listener = socket.create_server((address, PORT), backlog=4096)
        listener.setblocking(False)
        waiting.register(listener, selectors.EVENT_READ, listener)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            key.data.accept()[0].close()


def connect() -> None:
    for line in sys.stdin:
        address, port, count = line.split()
        taken = []
        began = time.perf_counter()
        for _ in range(int(count)):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                start = time.perf_counter_ns()
                one.connect((address, int(port)))
                taken.append((time.perf_counter_ns() - start) / 1000)
        print(json.dumps({"seconds": time.perf_counter() - began, "microseconds": taken}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    else:
        connect()
