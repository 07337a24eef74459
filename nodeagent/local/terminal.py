"""This end of a process in a container: standard streams, and a terminal with its size where one is asked for."""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator

from schemas.rpc import CHUNK, STDERR, STDIN, STDOUT, Data
from schemas.streaming import Ended, Stream


async def show(stream: Stream) -> None:
    """What comes, on standard output and error, until there is no more. Ends early where nobody reads it."""
    outputs = {STDOUT: sys.stdout.buffer, STDERR: sys.stderr.buffer}
    while (frame := await stream.receive()) is not None:
        body, data = frame
        if isinstance(body, Data) and body.channel in outputs:
            try:
                outputs[body.channel].write(data)
                outputs[body.channel].flush()
            except BrokenPipeError:
                # Or the interpreter says at its end that it cannot flush.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return


async def sit(stream: Stream, *, stdin: bool, terminal: bool) -> None:
    """Shows what comes, and sends what is typed."""
    typing = asyncio.create_task(_type(stream), name="typing") if stdin else None
    try:
        with _raw() if terminal and stdin else contextlib.nullcontext():
            if terminal:
                _follow_size(stream)
            await show(stream)
    finally:
        if typing is not None:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)


async def _type(stream: Stream) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    descriptor = sys.stdin.fileno()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:  # a file is always readable, and epoll takes none
        readable.set()
    try:
        while True:
            await readable.wait()
            data = os.read(descriptor, CHUNK)
            if not data:
                stream.close(STDIN)
                return
            with contextlib.suppress(BlockingIOError):
                await stream.write(STDIN, data)
            if loop.remove_reader(descriptor):
                readable.clear()
                loop.add_reader(descriptor, readable.set)
    except Ended:
        return
    finally:
        loop.remove_reader(descriptor)


def _follow_size(stream: Stream) -> None:
    def tell() -> None:
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(sys.stdout.fileno())
            stream.resize(size.columns, size.lines)

    asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, tell)
    tell()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Each key goes to the process as it is, Ctrl-C too."""
    descriptor = sys.stdin.fileno()
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
