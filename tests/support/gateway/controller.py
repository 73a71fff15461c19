"""Owns a small Gateway API controller: routes become nginx's configuration, and each object is told what became of it.

Must not carry traffic: nginx does. Weights are enacted exactly, by turns; a service without endpoints has no share.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from support.gateway.config import Listener, config
from support.gateway.rules import Endpoints, Rule, Unresolved, Unsupported, header_names, rules
from support.kube.api import Api, Object, Refused
from support.kube.watching import Watched
from support.kubelet.container import now

NAME = "millrace.test/nginx"
GROUP = "/apis/gateway.networking.k8s.io/v1"
SETTLE_S = 0.05


class Controller:
    """Keeps one nginx as all routes of a cluster say."""

    def __init__(self, api: Api, folder: Path, address: str) -> None:
        self._api = api
        self._folder = folder
        self._address = address
        self._wake = threading.Event()
        self._nginx: subprocess.Popen[bytes] | None = None
        self._known = ""
        kinds = {"gatewayclasses": GROUP, "gateways": GROUP, "httproutes": GROUP, "grpcroutes": GROUP,
                 "services": "/api/v1", "endpointslices": "/apis/discovery.k8s.io/v1"}  # fmt: skip
        self._watched = {kind: Watched(api, f"{group}/{kind}", self._wake.set) for kind, group in kinds.items()}

    def run(self) -> None:
        """Carries on until the process is told to end; nginx ends with it."""
        for each in self._watched.values():
            each.start()
        try:
            while True:
                self._wake.wait(2.0)
                self._wake.clear()
                time.sleep(SETTLE_S)
                self._try_to_look()
        finally:
            if self._nginx is not None:
                self._nginx.terminate()
                self._nginx.wait()

    def _try_to_look(self) -> None:
        try:
            self._look()
        except (OSError, Refused) as error:
            print(f"gateway: {error}", flush=True)

    def _look(self) -> None:
        ours = {
            each["metadata"]["name"] for each in self._of("gatewayclasses") if each["spec"]["controllerName"] == NAME
        }
        gateways = [each for each in self._of("gateways") if each["spec"]["gatewayClassName"] in ours]
        routes = [route for route in [*self._of("httproutes", "HTTPRoute"), *self._of("grpcroutes", "GRPCRoute")]
                  if _parents(route, gateways)]  # fmt: skip
        headers = header_names(routes)
        endpoints = Endpoints(self._of("services"), self._of("endpointslices"))
        made: list[Rule] = []
        verdicts = []
        for route in routes:
            found, verdict = _judged(route, endpoints, headers)
            made += found
            verdicts.append((route, verdict))
        listeners = sorted({_listener(each) for gateway in gateways for each in gateway["spec"]["listeners"]},
                           key=lambda each: each.port)  # fmt: skip
        self._enact(config(self._folder, self._address, listeners, made, headers))
        for name in ours:
            self._tell(f"{GROUP}/gatewayclasses/{name}", {"conditions": [_condition("Accepted", "True", "Accepted")]})
        for route, verdict in verdicts:
            self._tell_route(route, gateways, verdict)
        for gateway in gateways:
            self._tell_gateway(gateway, routes)

    def _of(self, kind: str, name: str = "") -> list[Object]:
        return [{**each, **({"kind": name} if name else {})} for each in self._watched[kind].all]

    def _enact(self, content: str) -> None:
        """Hands nginx a new configuration; it keeps the connections that it has."""
        if content == self._known:
            return
        path = self._folder / "nginx.conf"
        path.write_text(content)
        command = ["nginx", "-p", str(self._folder), "-c", str(path), "-e"]
        checked = subprocess.run([*command, "stderr", "-t", "-q"], capture_output=True, text=True)
        if checked.returncode:
            raise OSError(f"nginx refuses its configuration: {checked.stderr}\n{content}")
        if self._nginx is None:
            self._nginx = subprocess.Popen([*command, str(self._folder / "error.log")], stdin=subprocess.DEVNULL)
        else:
            before = _workers(self._nginx.pid)
            self._nginx.send_signal(signal.SIGHUP)
            due = time.monotonic() + 5
            while not _replaced(self._nginx.pid, before) and time.monotonic() < due:
                time.sleep(0.01)
        self._known = content

    def _tell_route(self, route: Object, gateways: Sequence[Object], verdict: tuple[str, str, str]) -> None:
        accepted, resolved, why = verdict
        conditions = [_condition("Accepted", str(accepted == "Accepted"), accepted, why),
                      _condition("ResolvedRefs", str(resolved == "ResolvedRefs"), resolved, why)]  # fmt: skip
        parents = [
            {"parentRef": reference, "controllerName": NAME, "conditions": _dated(conditions, route)}
            for reference in _parents(route, gateways)
        ]
        meta = route["metadata"]
        kind = "grpcroutes" if route["kind"] == "GRPCRoute" else "httproutes"
        self._tell(f"{GROUP}/namespaces/{meta['namespace']}/{kind}/{meta['name']}", {"parents": parents}, route)

    def _tell_gateway(self, gateway: Object, routes: Sequence[Object]) -> None:
        good = [_condition("Accepted", "True", "Accepted"), _condition("Programmed", "True", "Programmed")]
        listeners = []
        for each in gateway["spec"]["listeners"]:
            kind = "GRPCRoute" if _listener(each).grpc else "HTTPRoute"
            count = sum(route["kind"] == kind and bool(_parents(route, [gateway])) for route in routes)
            kinds = [{"group": "gateway.networking.k8s.io", "kind": kind}]
            listeners.append({"name": each["name"], "supportedKinds": kinds, "attachedRoutes": count,
                              "conditions": _dated(good, gateway)})  # fmt: skip
        status = {
            "addresses": [{"type": "IPAddress", "value": self._address}],
            "conditions": _dated(good, gateway),
            "listeners": listeners,
        }
        meta = gateway["metadata"]
        self._tell(f"{GROUP}/namespaces/{meta['namespace']}/gateways/{meta['name']}", status, gateway)

    def _tell(self, path: str, status: Object, found: Object | None = None) -> None:
        before = (found or self._api.get(path)).get("status")
        if _undated(before) != _undated(status):
            try:
                self._api.patch(f"{path}/status", {"status": _dated_all(status)})
            except Refused as refused:
                if refused.code not in (404, 409):
                    raise


def _judged(route: Object, endpoints: Endpoints, headers: Sequence[str]) -> tuple[list[Rule], tuple[str, str, str]]:
    """The rules of a route, and what it is told."""
    try:
        return rules(route, endpoints, headers), ("Accepted", "ResolvedRefs", "")
    except Unsupported as error:
        return [], ("UnsupportedValue", "ResolvedRefs", f"not supported: {error}")
    except Unresolved as error:
        return [], ("Accepted", "BackendNotFound", f"not found: {error}")


def _parents(route: Object, gateways: Sequence[Object]) -> list[Object]:
    """Its references to some of our gateways."""
    ours = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in gateways}
    own = route["metadata"]["namespace"]
    return [
        each for each in route["spec"].get("parentRefs") or [] if (each.get("namespace", own), each["name"]) in ours
    ]


def _listener(given: Object) -> Listener:
    kinds = [each["kind"] for each in given.get("allowedRoutes", {}).get("kinds") or []]
    return Listener(given["port"], "GRPCRoute" in kinds)


def _condition(name: str, status: str, reason: str, message: str = "") -> Object:
    return {"type": name, "status": status, "reason": reason, "message": message}


def _dated(conditions: Sequence[Object], found: Object) -> list[Object]:
    return [{**each, "observedGeneration": found["metadata"]["generation"]} for each in conditions]


def _dated_all(status: object) -> object:
    """With the time in each condition."""
    if isinstance(status, list):
        return [_dated_all(each) for each in status]
    if isinstance(status, dict):
        dated = {key: _dated_all(value) for key, value in status.items()}
        return {**dated, "lastTransitionTime": now()} if {"type", "status", "reason"} <= dated.keys() else dated
    return status


def _undated(status: object) -> object:
    if isinstance(status, list):
        return [_undated(each) for each in status]
    if isinstance(status, dict):
        return {key: _undated(value) for key, value in status.items() if key != "lastTransitionTime"}
    return status


def _workers(pid: int) -> set[str]:
    """The workers of an nginx that take new connections."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {each for each in found if b"shutting down" not in _title(each)}


def _title(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b"shutting down"


def _replaced(pid: int, before: set[str]) -> bool:
    """Whether new workers alone take new connections."""
    now_there = _workers(pid)
    return bool(now_there) and not now_there & before


def serve(kubeconfig: Path, folder: Path, address: str) -> None:
    """Carries on until the process is told to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.umask(0o022)
    Controller(Api(kubeconfig), folder, address).run()
