"""A client of UDP that keeps its port: `python -m tests.lab.datagrams ADDRESS PORT`.

Says `answered` at the first answer, `silent` when none has come for a while, and `answered` once more; then it ends.
"""

import socket
import sys
import time

PATIENCE = 1.0
"""A server that gives no answer within this time is silent."""
AT_MOST = 120.0


def main(address: str, port: int) -> None:
    expected, end = ["answered", "silent", "answered"], time.monotonic() + AT_MOST
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        while expected and time.monotonic() < end:
            try:
                client.sendto(b"hello\n", (address, port))
                client.recv(100)
                said = "answered"
            except OSError:
                said = "silent"
            if said == expected[0]:
                print(expected.pop(0), flush=True)
            time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
