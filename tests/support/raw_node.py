"""Owns a REST node that notes whatever it is sent, byte for byte, and answers what a test scripts.

Must not use anything of the executor, nor read what it gets.
"""

import http.server
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

JSON = {"Content-Type": "application/json"}


class Seen(NamedTuple):
    """One request."""

    verb: str
    path: str
    headers: list[tuple[str, str]]
    """Names in lower case, in the order they came in."""
    body: bytes

    def header(self, name: str) -> str | None:
        """The one value of a header."""
        values = [value for each, value in self.headers if each == name]
        assert len(values) < 2, self.headers
        return values[0] if values else None


Answer = bytes | tuple[int, Mapping[str, str], bytes]
"""A body of JSON, or status, headers and body."""
Script = Callable[[Seen], Answer] | Mapping[str, Answer]
"""What is answered, perhaps by path."""


class RawNode:
    """Serves in a `with` block. `script` may be changed at any time."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[Seen] = []
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                node.seen.append(Seen(self.command, self.path, headers, body))
                self._send(*node._answer(node.seen[-1]))

            do_GET = do_POST = answer  # noqa: N815

            def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def _answer(self, seen: Seen) -> tuple[int, Mapping[str, str], bytes]:
        said = self.script(seen) if callable(self.script) else self.script[seen.path]
        return (200, JSON, said) if isinstance(said, bytes) else said

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [each.path for each in self.seen]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
