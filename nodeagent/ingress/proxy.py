"""Keeps an HAProxy running on this node, with the configuration that follows from what is known now.

It outlives the agent, as containers do. A new configuration is checked before it is used; where it does not pass, the
one before stays. Certificates lie on memory alone.
"""

import asyncio
import hashlib
import logging
import os
import pwd
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from signal import SIGTERM, SIGUSR2

from nodeagent.files import write_if_changed
from nodeagent.ingress.haproxy import Certificate, Ports, files
from nodeagent.ingress.sites import in_order, sites
from nodeagent.network.commands import NetworkFailure, run
from nodeagent.network.state import NetworkState
from schemas.messages import Config, config_key

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.3
"""A reload costs a process start: changes that come together are one."""
RETRY_SECONDS = (1.0, 60.0)
CONFIGURATION, MASTER = "haproxy.cfg", "haproxy.pid"
USED = "used"
"""Names what the proxy has taken on last. The files alone do not tell: an agent may be killed after writing them."""


class Proxy:
    """`directory` is on memory. `say` tells people of what they have to mend, once for each text."""

    def __init__(self, ports: Ports, directory: Path, say: Callable[[str], None]) -> None:
        self._ports, self._directory, self._say = ports, directory, say
        self._state, self._configs = NetworkState(), dict[str, Config]()
        self._said: frozenset[str] = frozenset()
        self._watched: int | None = None
        self._changed = asyncio.Event()
        self._changed.set()

    def update(self, state: NetworkState) -> None:
        """What is known of Services and Ingresses now."""
        if (state.ingresses, state.services) != (self._state.ingresses, self._state.services):
            self._changed.set()
        self._state = state

    def configs(self, configs: Mapping[str, Config]) -> None:
        """The Secrets that this node was given, among others."""
        secrets = {key: one for key, one in configs.items() if one.kind == "Secret"}
        if secrets != self._configs:
            self._changed.set()
        self._configs = secrets

    async def run(self) -> None:
        """Until cancelled; the proxy runs on."""
        patience = RETRY_SECONDS[0]
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._changed.clear()
            try:
                await self._bring_up_to_date()
                patience = RETRY_SECONDS[0]
            except (NetworkFailure, OSError) as error:
                self._tell({f"ingress: {error}"})
                asyncio.get_running_loop().call_later(patience, self._changed.set)
                patience = min(2 * patience, RETRY_SECONDS[1])

    async def _bring_up_to_date(self) -> None:
        ingresses = in_order(self._state.ingresses.values())
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        faults: set[str] = set()
        certificates = list(self._certificates(faults))
        wanted = files(sites(ingresses, self._state.services), certificates, self._ports, self._directory, _user())
        before = {name: path.read_text() for name in wanted if (path := self._directory / name).exists()}
        master = master_of(self._directory)
        self._watch(master)
        digest = hashlib.sha256(repr(sorted(wanted.items())).encode()).hexdigest()
        if before != wanted or master is None or _text(self._directory / USED) != digest:
            for name, text in wanted.items():
                write_if_changed(self._directory / name, text)
            try:
                await run(("haproxy", "-c", "-q", "-f", str(self._directory / CONFIGURATION)))
            except NetworkFailure:
                for name, text in before.items():
                    write_if_changed(self._directory / name, text)
                raise
            await self._use(master)
            write_if_changed(self._directory / USED, digest)
        self._tell(faults)
        for path in self._directory.glob("*.pem"):
            if path.name not in wanted:
                path.unlink()

    async def _use(self, master: int | None) -> None:
        if master is not None:
            os.kill(master, SIGUSR2)
            log.info("the proxy takes on a new configuration process=%d", master)
            return
        pid = self._directory / MASTER
        await run(("haproxy", "-W", "-D", "-p", str(pid), "-f", str(self._directory / CONFIGURATION)))
        started = master_of(self._directory)
        log.info("the proxy runs process=%s http=%d https=%d", started, self._ports.http, self._ports.https)
        self._watch(started)

    def _watch(self, master: int | None) -> None:
        """Another one is started when this one ends."""
        if master is None or master == self._watched:
            return
        self._watched = master
        loop, descriptor = asyncio.get_running_loop(), os.pidfd_open(master)

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._watched = None
            log.warning("the proxy has ended process=%d", master)
            self._changed.set()

        loop.add_reader(descriptor, ended)

    def _certificates(self, faults: set[str]) -> Iterator[Certificate]:
        """Those that can be used. One Secret is one certificate, whoever names it."""
        hosts: dict[tuple[str, str], dict[str, None]] = {}
        for one in in_order(self._state.ingresses.values()):
            for named in one.certificates:
                hosts.setdefault((one.namespace, named.secret), {}).update(dict.fromkeys(named.hosts))
        for (namespace, name), wanted in hosts.items():
            found = self._configs.get(config_key("Secret", namespace, name))
            if found is None:
                faults.add(f"ingress: https of {_of(wanted)} waits for Secret {namespace}/{name}, which is not there")
                continue
            pem = b"\n".join(found.data.get(key, b"").strip() for key in ("tls.crt", "tls.key")).decode(
                errors="replace"
            )
            fault = self._unusable(pem)
            if fault:
                faults.add(f"ingress: https of {_of(wanted)} is not served: Secret {namespace}/{name}: {fault}")
            else:
                yield Certificate(f"{namespace}.{name}", pem + "\n", tuple(wanted))

    def _unusable(self, pem: str) -> str:
        """Why the proxy could not use it; empty where it can."""
        part = self._directory / ".certificate"
        part.touch(mode=0o600)
        part.write_text(pem)
        try:
            # Without a password OpenSSL would ask at the terminal for that of an encrypted key, and wait.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(part, password=lambda: "")
        except ssl.SSLError as error:
            return f"`tls.crt` and `tls.key` are no certificate with its key: {error.reason or error}"
        finally:
            part.unlink()
        return ""

    def _tell(self, faults: set[str]) -> None:
        for one in sorted(faults - self._said):
            log.error("%s", one)
            self._say(one)
        self._said = frozenset(faults)


def master_of(directory: Path) -> int | None:
    """The process of the proxy that was started over this directory, if it runs."""
    try:
        pid = int((directory / MASTER).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if str(directory / CONFIGURATION).encode() in command else None


def stop(directory: Path) -> None:
    """Ends the proxy, if it runs."""
    master = master_of(directory)
    if master is not None:
        os.kill(master, SIGTERM)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _user() -> str:
    """Whom its workers run as: Debian's package makes an account of its own."""
    try:
        return pwd.getpwnam("haproxy").pw_name
    except KeyError:
        return "nobody"


def _of(hosts: Mapping[str, None]) -> str:
    return ", ".join(hosts) or "its own names"
