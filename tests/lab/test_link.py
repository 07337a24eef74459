"""The link over a real Mosquitto, which keeps nothing on disk: killed, it has forgotten all."""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.calls import *  # noqa: F403
from tests.contracts.link import *  # noqa: F403
from tests.contracts.network import *  # noqa: F403

CONFIGURATION = """
user root
listener {port} 127.0.0.1
allow_anonymous false
password_file {passwords}
persistence false
"""


class Mosquitto:
    username, password = "wherry", "secret"

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        passwords = directory / "passwords"
        self._configuration = directory / "mosquitto.conf"
        self._configuration.write_text(CONFIGURATION.format(port=self.port, passwords=passwords))
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, self.username, self.password], check=True)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            "mosquitto", "-c", str(self._configuration), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """SIGKILL: no last word to anybody."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None


@pytest.fixture
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    await mosquitto.start()
    yield mosquitto
    await mosquitto.kill()
