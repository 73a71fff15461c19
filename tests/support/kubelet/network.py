"""Owns the network of pods: a namespace with an address for each, joined to this one by a pair of interfaces.

Must not know services: kube-proxy rewrites their addresses. There is no bridge: each packet goes through this
namespace's routes, so that those rules see it, the answer too.
"""

import subprocess
import threading
from pathlib import Path


def run(command: str) -> None:
    """Runs a command; its words have no spaces."""
    done = subprocess.run(command.split(), capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{command}: {done.stderr.strip()}")


class Network:
    """Addresses of a range, each lent to one pod."""

    def __init__(self, prefix: str, gateway: str) -> None:
        self._gateway = gateway
        self._free = [f"{prefix}.{number}" for number in range(254, 1, -1)]
        self._lock = threading.Lock()
        self._made = 0

    def join(self) -> "Place":
        """A namespace for a pod."""
        with self._lock:
            if not self._free:
                raise OSError("no address is free")
            address = self._free.pop()
            self._made += 1
            name = f"pod{self._made}"
        for command in (
            f"ip netns add {name}",
            f"ip link add {name} type veth peer name eth0 netns {name}",
            f"ip link set {name} up",
            f"ip route add {address}/32 dev {name}",
            f"ip -n {name} link set lo up",
            f"ip -n {name} address add {address}/32 dev eth0",
            f"ip -n {name} link set eth0 up",
            f"ip -n {name} route add {self._gateway} dev eth0",
            f"ip -n {name} route add default via {self._gateway} dev eth0",
        ):
            run(command)
        return Place(self, name, address)

    def give_back(self, address: str) -> None:
        """An address that may be lent again; later than all others, since some may still know whose it was."""
        with self._lock:
            self._free.insert(0, address)


class Place:
    """Where one pod is on the network."""

    def __init__(self, network: Network, name: str, address: str) -> None:
        self._network = network
        self.address = address
        self.name = name

    @property
    def file(self) -> Path:
        """What names the namespace for nsenter."""
        return Path("/run/netns", self.name)

    def leave(self) -> None:
        """Ends it. The interfaces go with it."""
        run(f"ip netns delete {self.name}")
        self._network.give_back(self.address)
