"""Which configuration the proxy has, whatever its agent did when it was killed; a program plays HAProxy."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nodeagent.ingress.haproxy import Ports
from nodeagent.ingress.proxy import CONFIGURATION, MASTER, USED, Proxy
from nodeagent.network.state import NetworkState
from schemas.messages import Config, config_key
from schemas.network import IngressCertificate, IngressRoute, IngressTarget, NetworkIngress

STAND_IN = """
import signal, sys, time
log = open(sys.argv[1], "a", buffering=1)
signal.signal(signal.SIGUSR2, lambda *_: log.write("reloaded\\n"))
log.write("ready\\n")
while True:
    time.sleep(600)
"""


def state(*hosts: str) -> NetworkState:
    routes = tuple(IngressRoute(IngressTarget("web", 80), host) for host in hosts)
    certificates = (IngressCertificate("tls", hosts),)
    found = NetworkIngress("shop", "site", 1, routes, None, hosts, certificates)
    return NetworkState(ingresses={"ingresses/shop/site": found})


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an `haproxy` that takes every configuration."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "haproxy").write_text("#!/bin/sh\n")
    (programs / "haproxy").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    made = tmp_path / "ingress"
    made.mkdir()
    return made


@pytest.fixture
def log(directory: Path, tmp_path: Path) -> Iterator[Path]:
    """What the proxy that runs has done."""
    path = tmp_path / "log"
    path.touch()
    command = (sys.executable, "-c", STAND_IN, str(path), str(directory / CONFIGURATION))
    with subprocess.Popen(command) as process:
        (directory / MASTER).write_text(str(process.pid))
        yield path
        process.kill()


async def lines(log: Path, wanted: list[str]) -> None:
    async with asyncio.timeout(60):
        while log.read_text().split() != wanted:
            await asyncio.sleep(0.01)


async def serve(directory: Path, told: NetworkState, log: Path, wanted: list[str]) -> list[str]:
    """Runs an agent's proxy until the log says what is wanted and all is written. What it had to say."""
    said: list[str] = []
    proxy = Proxy(Ports(80, 443), directory, said.append)
    proxy.update(told)
    task = asyncio.create_task(proxy.run())
    try:
        await lines(log, wanted)
        async with asyncio.timeout(60):
            while not (directory / USED).exists() or not said:  # the missing Secret is told last
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return said


async def test_what_a_killed_agent_had_written_and_not_told_is_told_by_the_next(directory: Path, log: Path) -> None:
    await lines(log, ["ready"])
    await serve(directory, state("a.example"), log, ["ready", "reloaded"])
    (directory / USED).unlink()
    await serve(directory, state("a.example"), log, ["ready", "reloaded", "reloaded"])


async def test_a_new_agent_leaves_a_proxy_alone_that_has_the_configuration(directory: Path, log: Path) -> None:
    await lines(log, ["ready"])
    await serve(directory, state("a.example"), log, ["ready", "reloaded"])
    await serve(directory, state("a.example"), log, ["ready", "reloaded"])
    assert log.read_text().split() == ["ready", "reloaded"]


def test_an_encrypted_key_is_a_fault_and_asks_nobody_for_its_password(directory: Path) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-days",
        "2",
        "-subj",
        "/CN=a.example",
    ]
    files = ["-passout", "pass:secret", "-keyout", str(directory / "key"), "-out", str(directory / "certificate")]
    subprocess.run([*command, *files], check=True, capture_output=True)
    data = {"tls.crt": (directory / "certificate").read_bytes(), "tls.key": (directory / "key").read_bytes()}
    proxy = Proxy(Ports(80, 443), directory, lambda _: None)
    proxy.configs({config_key("Secret", "shop", "tls"): Config("Secret", "shop", "tls", data)})
    proxy.update(state("a.example"))
    faults: set[str] = set()
    assert not list(proxy._certificates(faults))
    assert len(faults) == 1
    assert "`tls.crt` and `tls.key` are no certificate with its key" in faults.pop()
