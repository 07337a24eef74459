"""Machines of the lab: network namespaces on one bridge that no address of this machine is on.

Those that are apart are on a second one, and the hub is the router between the two.
"""

import contextlib
import subprocess
from collections.abc import Sequence

HUB = "hub"


def run(*command: str) -> str:
    """Runs a command that has to succeed, and returns what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


class Network:
    """One network namespace for each machine; the first machine is the hub.

    `apart`: those on the second bridge; with any, all machines have addresses of both families.
    """

    def __init__(self, tag: str, machines: list[str], apart: Sequence[str] = ()) -> None:
        self.tag = tag
        self.bridges = (f"wl{tag}", f"wl{tag}x")[: 2 if apart else 1]
        self.machines, self.apart = machines, apart
        self.address = {
            machine: f"10.{92 if machine in apart else 91}.0.{number}" for number, machine in enumerate(machines, 1)
        }

    def namespace(self, machine: str) -> str:
        return f"wl{self.tag}-{machine}"

    def create(self) -> None:
        for bridge in self.bridges:
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "link", "set", bridge, "up")
        for machine in self.machines:
            namespace = self.namespace(machine)
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            bridge = self.bridges[-1 if machine in self.apart else 0]
            self._plug(machine, self._outer(machine), "eth0", bridge, self.address[machine])
            router = "10.92.0.254" if machine in self.apart else self.address[self.machines[0]]
            run("ip", "-n", namespace, "route", "add", "default", "via", router)
            if self.apart and router != self.address[machine]:
                run("ip", "-n", namespace, "-6", "route", "add", "default", "via", _sixth(router))
        if self.apart:
            hub = self.machines[0]
            self._plug(hub, f"wl{self.tag}xh", "eth1", self.bridges[1], "10.92.0.254")
            run(*self.inside(hub), "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def _plug(self, machine: str, outer: str, inner: str, bridge: str, address: str) -> None:
        namespace = self.namespace(machine)
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", namespace)
        run("ip", "link", "set", outer, "master", bridge, "up")
        run("ip", "-n", namespace, "addr", "add", f"{address}/24", "dev", inner)
        if self.apart:
            run("ip", "-n", namespace, "addr", "add", f"{_sixth(address)}/64", "dev", inner, "nodad")
        run("ip", "-n", namespace, "link", "set", inner, "up")

    def inside(self, machine: str) -> list[str]:
        """What to put before a command so that it runs on this machine (`ip netns exec` would hide the cgroups)."""
        return ["nsenter", f"--net=/var/run/netns/{self.namespace(machine)}"]

    def cut(self, machine: str) -> None:
        """Pulls the machine's cable."""
        run("ip", "link", "set", self._outer(machine), "down")

    def heal(self, machine: str) -> None:
        run("ip", "link", "set", self._outer(machine), "up")

    def remove(self) -> None:
        for machine in self.machines:
            with contextlib.suppress(AssertionError):
                run("ip", "netns", "del", self.namespace(machine))
        for bridge in self.bridges:
            with contextlib.suppress(AssertionError):
                run("ip", "link", "del", bridge)

    def _outer(self, machine: str) -> str:
        return f"wl{self.tag}{machine}"[:15]


def _sixth(address: str) -> str:
    """The machine's address of IPv6, made like its other one."""
    _, link, _, number = address.split(".")
    return f"fd{link}::{number}"
