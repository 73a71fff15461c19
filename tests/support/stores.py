"""Owns stores that tests fetch from: a web server that fails on demand, and an S3 server.

Must not know what fetches from them.
"""

import contextlib
import hashlib
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

READY_S = 30.0


class Web:
    """A web server with `files` by path, such as `iris/model.joblib`; folders are listed as pages.

    `broken` says for a path how many of its next answers end half-way, and `failing` how many are 503.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.listings: dict[str, str] = {}
        """Pages of folders that list something else than what is there."""
        self.broken: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        """Answers to GET so far, by path."""
        self.delay_s = 0.0
        """Before each file."""
        web = self

        class Handler(BaseHTTPRequestHandler):
            """Answers from `web`."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """The answer."""
                web._answer(self, body=True)

            def do_HEAD(self) -> None:
                """Its headers."""
                web._answer(self, body=False)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, body: bool) -> None:
        path = unquote(handler.path.partition("?")[0].lstrip("/"))
        self.asked[path] += body
        if body and self.failing[path] > 0:
            self.failing[path] -= 1
            return self._send(handler, 503, b"not now", "text/plain", body)
        if path in self.files:
            time.sleep(self.delay_s if body else 0)
            return self._send(handler, 200, self.files[path], "application/octet-stream", body, path)
        page = self._page(path)
        if page is None:
            return self._send(handler, 404, b"no such thing", "text/plain", body)
        return self._send(handler, 200, page.encode(), "text/html", body)

    def _page(self, path: str) -> str | None:
        folder = path if path.endswith("/") or not path else f"{path}/"
        if folder in self.listings:
            return self.listings[folder]
        below = [name.removeprefix(folder) for name in self.files if name.startswith(folder)]
        names = sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in below})
        links = "".join(f'<li><a href="{quote(name)}">{name}</a>' for name in ["../", *names])
        return f"<html><body><ul><a href='?order=size'>by size</a>{links}</ul></body></html>" if below else None

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, content: bytes, kind: str, body: bool, path: str = ""
    ) -> None:
        half = bool(body and path and self.broken[path] > 0)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(content)))
        if status == 200:
            handler.send_header("ETag", hashlib.sha256(content).hexdigest())
        handler.end_headers()
        if half:
            self.broken[path] -= 1
            handler.close_connection = True
        if body:
            with contextlib.suppress(OSError):
                handler.wfile.write(content[: len(content) // 2] if half else content)


class S3:
    """An S3 server, and what a client of it has in its environment."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def put(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Makes the bucket, with these objects."""
        import s3fs

        system = s3fs.S3FileSystem(
            key="testing", secret="testing", endpoint_url=self.url, skip_instance_cache=True, use_listings_cache=False
        )
        if not system.exists(bucket):
            system.mkdir(bucket)
        for key, content in objects.items():
            system.pipe_file(f"{bucket}/{key}", content)


@contextlib.contextmanager
def s3() -> Iterator[S3]:
    """A running S3 server."""
    with tempfile.TemporaryDirectory(prefix="millrace-s3-") as folder:
        said = Path(folder, "said")
        with said.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stdout=file, stderr=file
            )
        try:
            due = time.monotonic() + READY_S
            while not (found := re.search(r"Running on (http://[\d.:]+)", said.read_text())):
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < due, said.read_text()
                time.sleep(0.05)
            yield S3(found[1])
        finally:
            process.terminate()
            process.wait(10)
