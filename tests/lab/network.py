"""Machines of the lab: network namespaces on one bridge that no address of this machine is on."""

import contextlib
import subprocess

HUB = "hub"


def run(*command: str) -> str:
    """Runs a command that has to succeed, and returns what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


class Network:
    """A bridge with one network namespace for each machine; the first machine is the hub."""

    def __init__(self, tag: str, machines: list[str]) -> None:
        self.tag = tag
        self.bridge = f"wl{tag}"
        self.machines = machines
        self.address = {machine: f"10.91.0.{number}" for number, machine in enumerate(machines, 1)}

    def namespace(self, machine: str) -> str:
        return f"wl{self.tag}-{machine}"

    def create(self) -> None:
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "link", "set", self.bridge, "up")
        for machine in self.machines:
            namespace, outer = self.namespace(machine), self._outer(machine)
            run("ip", "netns", "add", namespace)
            run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            run("ip", "link", "set", outer, "master", self.bridge, "up")
            run("ip", "-n", namespace, "addr", "add", f"{self.address[machine]}/24", "dev", "eth0")
            run("ip", "-n", namespace, "link", "set", "eth0", "up")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("ip", "-n", namespace, "route", "add", "default", "via", self.address[self.machines[0]])

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
        with contextlib.suppress(AssertionError):
            run("ip", "link", "del", self.bridge)

    def _outer(self, machine: str) -> str:
        return f"wl{self.tag}{machine}"[:15]
