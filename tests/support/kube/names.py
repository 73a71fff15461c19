"""Owns a small DNS server for pods: names of services and of their endpoints, from what the API server holds.

Must not pass questions on: any other name does not exist here. `python -m support.kube.names KUBECONFIG ADDRESS`.
"""

import socket
import socketserver
import struct
import sys
import threading
from pathlib import Path

from support.kube.api import Api, Object
from support.kube.watching import Watched

SUFFIX = ".svc.cluster.local"
TTL_S = 2
A, AAAA, SRV = 1, 28, 33
NO_ERROR, NO_NAME = 0, 3
Records = list[tuple[int, bytes]]


def encoded(name: str) -> bytes:
    """A name as messages hold it."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def question(message: bytes) -> tuple[str, int, int]:
    """The name and the type that a message asks for, and where its question ends."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), struct.unpack_from("!H", message, at + 1)[0], at + 5


def reply(message: bytes, code: int, records: Records) -> bytes:
    """The answer to a message."""
    end = question(message)[2]
    flags = 0x8400 | (struct.unpack_from("!H", message, 2)[0] & 0x0100) | 0x0080 | code
    made = message[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + message[12:end]
    for kind, content in records:
        made += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, TTL_S, len(content)) + content
    return made


class Names:
    """What names mean now."""

    def __init__(self, api: Api) -> None:
        self._services = Watched(api, "/api/v1/services").start()
        self._slices = Watched(api, "/apis/discovery.k8s.io/v1/endpointslices").start()

    def answer(self, message: bytes) -> bytes:
        """The answer to a message."""
        name, kind, _ = question(message)
        found = self._records(name.removesuffix("."))
        if found is None:
            return reply(message, NO_NAME, [])
        return reply(message, NO_ERROR, [record for record in found if record[0] == kind])

    def _records(self, name: str) -> Records | None:
        if not name.endswith(SUFFIX):
            return None
        *more, service, namespace = name.removesuffix(SUFFIX).split(".") if name.count(".") > 3 else ("", "", "")
        found = self._services.get(namespace, service)
        if found is None:
            return None
        if len(more) == 2 and more[0].startswith("_"):
            return self._ports(found, more[0][1:], name)
        if found["spec"].get("clusterIP") != "None":
            return None if more else [(A, socket.inet_aton(found["spec"]["clusterIP"]))]
        addresses = self._endpoints(found, more[0] if more else None)
        return [(A, socket.inet_aton(address)) for address in addresses] or (None if more else [])

    def _endpoints(self, service: Object, host: str | None) -> list[str]:
        meta = service["metadata"]
        early = service["spec"].get("publishNotReadyAddresses", False)
        found = []
        for each in self._slices.all:
            own = each["metadata"].get("labels", {}).get("kubernetes.io/service-name") == meta["name"]
            if own and each["metadata"]["namespace"] == meta["namespace"] and each["addressType"] == "IPv4":
                for endpoint in each.get("endpoints") or []:
                    ready = early or endpoint.get("conditions", {}).get("ready", True)
                    if ready and host in (None, endpoint.get("hostname")):
                        found += endpoint["addresses"]
        return sorted(found)

    def _ports(self, service: Object, port: str, name: str) -> Records | None:
        target = encoded(name.split(".", 2)[2])
        numbers = [each["port"] for each in service["spec"].get("ports", []) if each.get("name") == port]
        return [(SRV, struct.pack("!HHH", 0, 100, number) + target) for number in numbers] or None


def serve(kubeconfig: Path, address: str) -> None:
    """Answers over UDP and TCP; never returns."""
    names = Names(Api(kubeconfig))

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            message, answering = self.request
            answering.sendto(names.answer(message), self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while size := self.rfile.read(2):
                answer = names.answer(self.rfile.read(struct.unpack("!H", size)[0]))
                self.wfile.write(struct.pack("!H", len(answer)) + answer)

    with socketserver.ThreadingTCPServer((address, 53), Stream) as stream:
        threading.Thread(target=stream.serve_forever, daemon=True).start()
        with socketserver.ThreadingUDPServer((address, 53), Datagram) as datagram:
            datagram.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
