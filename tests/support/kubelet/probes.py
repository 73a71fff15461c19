"""Owns probes: what one asks a container, and how often it must hear the same to believe it.

Must not act on the outcome.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

Given = Mapping[str, Any]
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"


class Target:
    """Where a container is asked: an address, the numbers of its named ports, and what runs a command in it."""

    def __init__(self, host: str, container: Given, run: Callable[[Sequence[str], float | None], int]) -> None:
        self.host = host
        self.run = run
        self._ports = {each["name"]: each["containerPort"] for each in container.get("ports", []) if "name" in each}

    def port(self, given: int | str) -> int:
        """The number of a port that may be named."""
        return given if isinstance(given, int) else int(self._ports.get(given) or given)


def ask(probe: Given, target: Target) -> bool:
    """Whether a probe passes now. Of a handler (`preStop`) as well."""
    timeout_s = float(probe.get("timeoutSeconds", 1))
    try:
        if "exec" in probe:
            return target.run(probe["exec"]["command"], timeout_s) == 0
        if "httpGet" in probe:
            return _http(probe["httpGet"], target, timeout_s)
        if "grpc" in probe:
            return _grpc(probe["grpc"], target, timeout_s)
        given = probe["tcpSocket"]
        with socket.create_connection((given.get("host") or target.host, target.port(given["port"])), timeout_s):
            return True
    except (OSError, http.client.HTTPException, grpc.RpcError):
        return False


def _http(given: Given, target: Target, timeout_s: float) -> bool:
    host, port = given.get("host") or target.host, target.port(given["port"])
    connection: http.client.HTTPConnection
    if given.get("scheme", "HTTP") == "HTTPS":
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=trusting)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        headers = {each["name"]: each["value"] for each in given.get("httpHeaders", [])}
        connection.request("GET", given.get("path") or "/", headers={"User-Agent": "kube-probe/1.35", **headers})
        return 200 <= connection.getresponse().status < 400
    finally:
        connection.close()


def _grpc(given: Given, target: Target, timeout_s: float) -> bool:
    service = (given.get("service") or "").encode()
    asked = b"\x0a" + bytes([len(service)]) + service if service else b""
    with grpc.insecure_channel(f"{target.host}:{given['port']}") as channel:
        call = channel.unary_unary(HEALTH)
        return bytes(call(asked, timeout=timeout_s)) == SERVING


class Prober:
    """Asks one probe again and again, on a thread of its own, and reports what it believes whenever that is settled."""

    def __init__(self, probe: Given, target: Target, haste: float, believe: Callable[[bool], None]) -> None:
        self._probe = probe
        self._target = target
        self._haste = haste
        self._believe = believe
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Asks no more."""
        self._stop.set()

    def _run(self) -> None:
        needed = {True: self._probe.get("successThreshold", 1), False: self._probe.get("failureThreshold", 3)}
        last, alike = None, 0
        self._stop.wait(self._probe.get("initialDelaySeconds", 0) / self._haste)
        while not self._stop.is_set():
            found = ask(self._probe, self._target)
            alike = alike + 1 if found is last else 1
            last = found
            if alike >= needed[found] and not self._stop.is_set():
                self._believe(found)
            self._stop.wait(self._probe.get("periodSeconds", 10) / self._haste)
