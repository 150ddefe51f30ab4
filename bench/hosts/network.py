"""Hosts on one switch: network namespaces with an address each, joined by veth pairs and a bridge. Linux, root.

Nothing of it is seen in the machine's own namespace, so any number of networks may be there at once.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def why_not() -> str:
    """Why there can be no namespaces here; empty if there can."""
    if not shutil.which("ip"):
        return "no command ip: install iproute2"
    probe = f"ts{os.getpid()}probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    _ip("netns", "del", probe)
    return ""


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Network:
    """The hosts by name. A link is cut at the switch (the plug is pulled), or at the host (the interface is down)."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.addresses = {host: f"10.77.0.{number}" for number, host in enumerate(hosts, 1)}
        self._prefix = f"ts{os.getpid()}"
        self._slow: dict[str, subprocess.Popen[bytes]] = {}
        self._switch = self.namespace("switch")

    def namespace(self, host: str) -> str:
        """Its name for `ip netns`."""
        return f"{self._prefix}-{host}"

    def command(self, host: str, *words: str) -> list[str]:
        """That command line, on that host; the process is the command's own."""
        return ["ip", "netns", "exec", self.namespace(host), *words]

    def build(self) -> None:
        """Make all hosts and their links."""
        _ip("netns", "add", self._switch)
        self._at_switch("link", "add", "bridge", "type", "bridge")
        self._at_switch("link", "set", "bridge", "up")
        for host in self.addresses:
            self._at_switch("link", "add", f"to-{host}", "type", "veth", "peer", "name", f"{host}-eth0")
        ends = [name for host in self.addresses for name in (f"to-{host}", f"{host}-eth0")]
        subprocess.run(self._relay("plain", *ends), cwd=ROOT, check=True)
        for host, address in self.addresses.items():
            there = self.namespace(host)
            _ip("netns", "add", there)
            self._at_switch("link", "set", f"{host}-eth0", "netns", there)
            _ip("-n", there, "link", "set", f"{host}-eth0", "name", "eth0")
            _ip("-n", there, "link", "set", "lo", "up")
            _ip("-n", there, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", there, "link", "set", "eth0", "up")
            self._at_switch("link", "set", f"to-{host}", "up", "master", "bridge")

    def cut(self, host: str, *, at_host: bool = False) -> None:
        """Nothing passes any more. At the host it knows at once (no route); at the switch it has to find out."""
        self._set(host, "down", at_host)

    def mend(self, host: str, *, at_host: bool = False) -> None:
        """The end of `cut`."""
        self._set(host, "up", at_host)

    def slow(self, host: str, delay_ms: float, loss: float, seed: int) -> None:
        """Each frame of the host, either way, is lost with that probability, or arrives that much later."""
        relay = f"{host}-slow"
        self._at_switch("link", "add", relay, "type", "veth", "peer", "name", f"{relay}-br")
        subprocess.run(self._relay("plain", relay, f"{relay}-br"), cwd=ROOT, check=True)
        self._at_switch("link", "set", f"to-{host}", "nomaster", "promisc", "on")
        self._at_switch("link", "set", relay, "up", "promisc", "on")
        self._at_switch("link", "set", f"{relay}-br", "up", "master", "bridge")
        words = self._relay("relay", f"to-{host}", relay, str(delay_ms), str(loss), str(seed))
        self._slow[host] = subprocess.Popen(words, cwd=ROOT)

    def fast(self, host: str) -> None:
        """The end of `slow`. What was under way is lost."""
        relay = self._slow.pop(host)
        relay.terminate()
        relay.wait()
        self._at_switch("link", "del", f"{host}-slow")
        self._at_switch("link", "set", f"to-{host}", "promisc", "off", "master", "bridge")

    def processes(self) -> list[int]:
        """All processes on the hosts."""
        return [int(pid) for host in self.addresses for pid in _ip("netns", "pids", self.namespace(host)).split()]

    def destroy(self) -> None:
        """Take it all down; whatever runs there has been ended."""
        for host in list(self._slow):
            self.fast(host)
        names = _ip("netns", "list").split()
        for namespace in [*map(self.namespace, self.addresses), self._switch]:
            if namespace in names:
                _ip("netns", "del", namespace)

    def _set(self, host: str, state: str, at_host: bool) -> None:
        namespace, interface = (self.namespace(host), "eth0") if at_host else (self._switch, f"to-{host}")
        _ip("-n", namespace, "link", "set", interface, state)

    def _at_switch(self, *words: str) -> None:
        _ip("-n", self._switch, *words)

    def _relay(self, *words: str) -> list[str]:
        return self.command("switch", sys.executable, "-m", "bench.hosts.slow_link", *words)


@contextmanager
def network(*hosts: str) -> Iterator[Network]:
    """The hosts, for a while."""
    made = Network(hosts)
    try:
        made.build()
        yield made
    finally:
        made.destroy()
