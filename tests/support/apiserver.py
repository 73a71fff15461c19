"""Owns an API server of Kubernetes in this process: HTTP over a `Store`, watches, and what can go wrong on the way.

Must not know what is stored.
"""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from support.apistore import Kind, Refused, Store

Address = tuple[Kind, str, str, str]
"""Kind, namespace, name and subresource."""
Fault = Callable[[str, str], Refused | None]
"""By verb and path: what goes wrong, if anything."""


class ApiServer:
    """The server. It listens from the start; `stop` and `start` are a restart, with everything kept."""

    def __init__(self, store: Store | None = None, tls: ssl.SSLContext | None = None, token: str = "") -> None:
        self.store = store or Store()
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.token = token
        self._tls = tls
        self._port = 0
        self.open: set[socket.socket] = set()
        self.watches: set[socket.socket] = set()
        self.start()

    def start(self) -> None:
        """Listens, on the port that it had."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listens no more, and breaks all connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.cut(self.open)

    def cut(self, which: set[socket.socket] | None = None) -> int:
        """Breaks the connections of all watches; how many there were."""
        found = list(self.watches if which is None else which)
        for each in found:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(found)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def kubeconfig(self, path: Path, authority: str = "") -> Path:
        """A file that leads here."""
        cluster = {"server": self.url, **({"certificate-authority": authority} if authority else {})}
        found = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": self.token} if self.token else {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }  # fmt: skip
        path.write_text(yaml.safe_dump(found))
        return path

    def fail(
        self, verb: str, part: str, code: int, message: str = "no", times: int = -1, cause: str = ""
    ) -> Fault:  # fmt: skip
        """Answers requests of a verb, with `part` in their path, by an error; `times` of them, or until `heal`."""
        left = [times]

        def fault(which: str, path: str) -> Refused | None:
            if which != verb or part not in path or left[0] == 0:
                return None
            left[0] -= 1
            return Refused(code, {403: "Forbidden", 409: "Conflict"}.get(code, "InternalError"), message, cause)

        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """All is well again."""
        self.faults.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break in these tests."""


def _handler(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        api = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.api.open.add(self.connection)

    def finish(self) -> None:
        self.api.open.discard(self.connection)
        self.api.watches.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def handle_any(self) -> None:
        """Any request."""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        verb = "watch" if "watch" in query else self.command.lower()
        self.api.requests.append((verb, parts.path))
        try:
            if self.api.token and self.headers.get("Authorization") != f"Bearer {self.api.token}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            for fault in list(self.api.faults):
                refused = fault(verb, parts.path)
                if refused is not None:
                    raise refused
            at = _parsed(parts.path)
            if verb == "watch":
                self._watch(at[0], at[1], query)
            else:
                self._answer(200, self._done(verb, at, query, body))
        except Refused as error:
            self._answer(error.code, _status(error))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def _done(self, verb: str, at: Address, query: dict[str, str], body: Any) -> Any:
        store, (kind, namespace, name, sub) = self.api.store, at
        place = (namespace, name)
        manager, dry = query.get("fieldManager", "unknown"), query.get("dryRun") == "All"
        if verb == "get":
            return store.get(kind, place) if name else self._list(kind, namespace, query)
        if verb == "post":
            return store.create(kind, body, manager, dry)
        if verb == "put":
            return store.replace(kind, body, manager, sub, dry)
        if verb == "delete":
            options = body or {}
            uid = (options.get("preconditions") or {}).get("uid", "")
            return store.delete(kind, place, uid, options.get("propagationPolicy") == "Foreground")
        if self.headers["Content-Type"] == "application/json-patch+json":
            return store.json_patch(kind, place, body, manager)
        assert self.headers["Content-Type"] == "application/apply-patch+yaml", self.headers["Content-Type"]
        return store.apply(kind, body, manager, query.get("force") == "true", dry)

    def _list(self, kind: Kind, namespace: str, query: dict[str, str]) -> Any:
        store = self.api.store
        with store.changed:
            places = sorted(store.all(kind))
            found = [store.all(kind)[place] for place in places if namespace in ("", place[0])]
            found = [each for each in found if _selected(each, query.get("labelSelector", ""))]
            start, size = int(query.get("continue", 0)), int(query.get("limit", 1_000_000))
            after = {"continue": str(start + size)} if start + size < len(found) else {}
            # Entries of lists say neither version nor kind, as in the real one.
            items = [
                {key: value for key, value in each.items() if key not in ("apiVersion", "kind")}
                for each in found[start : start + size]
            ]
            return {"kind": "List", "metadata": {"resourceVersion": store.version, **after}, "items": items}

    def _watch(self, kind: Kind, namespace: str, query: dict[str, str]) -> None:
        self.api.store.all(kind)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.api.watches.add(self.connection)
        ends = time.monotonic() + float(query.get("timeoutSeconds", 60))
        with contextlib.suppress(OSError, ValueError):
            for event in self._events(kind, namespace, query, ends):
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        self.api.watches.discard(self.connection)

    def _events(self, kind: Kind, namespace: str, query: dict[str, str], ends: float) -> Iterator[Any]:
        store, after = self.api.store, int(query["resourceVersion"])
        while time.monotonic() < ends:
            with store.changed:
                if kind not in store.objects:
                    return
                if after < store.oldest:
                    gone = Refused(410, "Expired", f"too old resource version: {after} ({store.oldest})")
                    yield {"type": "ERROR", "object": _status(gone)}
                    return
                news = [each for each in store.log if each[0] > after]
                if not news:
                    store.changed.wait(0.1)
                    if self.connection.fileno() < 0 or self.connection not in self.api.watches:
                        return
                    continue
            for version, which, *states in news:
                after = version
                # One that is selected no more is gone, for who watches by labels.
                old, new = (_meant(each, namespace, query) if which == kind else None for each in states)
                if new is not None:
                    yield {"type": "ADDED" if old is None else "MODIFIED", "object": new}
                elif old is not None:
                    meta = {**old["metadata"], "resourceVersion": str(version)}
                    yield {"type": "DELETED", "object": {**old, "metadata": meta}}

    def _answer(self, code: int, found: Any) -> None:
        body = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _parsed(path: str) -> Address:
    parts = path.strip("/").split("/")
    version, rest = (parts[1], parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, sub = (*rest, "", "")[:3]
    return (version, plural), namespace, name, sub


def _meant(found: Any, namespace: str, query: dict[str, str]) -> Any:
    """The object, if it is one of those that are asked for."""
    if found is None or namespace not in ("", found["metadata"].get("namespace", "")):
        return None
    return found if _selected(found, query.get("labelSelector", "")) else None


def _selected(found: Any, selector: str) -> bool:
    labels = found["metadata"].get("labels") or {}
    pairs = [each.partition("=") for each in selector.split(",") if each]
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in pairs)


def _status(error: Refused) -> Any:
    details = {"details": {"causes": [{"reason": error.cause, "message": error.message}]}} if error.cause else {}
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": error.code,
            "reason": error.reason, "message": error.message, **details}  # fmt: skip
