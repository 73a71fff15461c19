"""Owns a Google Cloud Storage server for tests: listings by pages, objects whole and in ranges, and the signing in.

Must not know what fetches from it. It speaks the part of Google's JSON API that reading takes, and is told how to fail.
"""

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PAGE_MAX = 2
"""Objects of one page: few, so that listings have several."""
TOKEN = "a-token-of-the-tests"
_LIST, _MEDIA = "/storage/v1/b/", "/download/storage/v1/b/"


class Gcs:
    """Buckets of objects, by `bucket/key`.

    `failing` says for a path how many of its next answers are 503; with `private`, only who has signed in may read.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.buckets: set[str] = set()
        self.failing: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        """Answers so far, by path; those to listings by `list bucket`."""
        self.private = False
        self.forbidden: set[str] = set()
        """Buckets that nobody may read."""
        self.refuses = False
        """Whether nobody can sign in."""
        store = self

        class Handler(BaseHTTPRequestHandler):
            """Answers from `store`."""

            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Reads."""
                store._answer(self)

            def do_POST(self) -> None:
                """Signs in."""
                store._token(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.environment = {"STORAGE_EMULATOR_HOST": self.url}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Makes the bucket, with these objects."""
        self.buckets.add(bucket)
        self.objects |= {f"{bucket}/{key}": content for key, content in objects.items()}

    def account(self) -> dict[str, str]:
        """The key of a service account, that signs in here."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": "tests",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": "tests@tests.iam.example",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }

    def _token(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.asked["token"] += 1
        if self.refuses:
            return _send_json(handler, 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        return _send_json(handler, 200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        bucket, key, media = _place(parts.path)
        name = f"{bucket}/{key}" if key else f"list {bucket}"
        self.asked[name] += 1
        if self.failing[name] > 0:
            self.failing[name] -= 1
            return _send_json(handler, 503, _error(503, "Backend Error"))
        if self.private and handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _send_json(handler, 401, _error(401, "Anonymous caller does not have storage.objects.get access."))
        if bucket in self.forbidden:
            return _send_json(handler, 403, _error(403, "tests does not have storage.objects.list access."))
        if bucket not in self.buckets or (key and name not in self.objects):
            return _send_json(handler, 404, _error(404, "Not Found"))
        if media:
            return _send_media(handler, self.objects[name])
        return _send_json(handler, 200, self._described(name) if key else self._page(bucket, asked))

    def _page(self, bucket: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """One page of a listing; the token of the next one is where it begins."""
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        keys = sorted(name.partition("/")[2] for name in self.objects if name.startswith(f"{bucket}/"))
        keys = [key for key in keys if key.startswith(prefix)]
        deeper = {key for key in keys if delimiter and delimiter in key[len(prefix) :]}
        folders = sorted({prefix + key[len(prefix) :].partition(delimiter)[0] + delimiter for key in deeper})
        found = [key for key in keys if key not in deeper]
        start = int(asked.get("pageToken", 0))
        page: dict[str, Any] = {"kind": "storage#objects", "prefixes": folders}
        page["items"] = [self._described(f"{bucket}/{key}") for key in found[start : start + PAGE_MAX]]
        if start + PAGE_MAX < len(found):
            page["nextPageToken"] = str(start + PAGE_MAX)
        return page

    def _described(self, name: str) -> dict[str, Any]:
        content = self.objects[name]
        bucket, _, key = name.partition("/")
        return {
            "kind": "storage#object", "bucket": bucket, "name": key, "size": str(len(content)), "generation": "1",
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(), "updated": "2024-01-01T00:00:00.000Z",
            "timeCreated": "2024-01-01T00:00:00.000Z",
        }  # fmt: skip


def _place(path: str) -> tuple[str, str, bool]:
    """Bucket and key of a path, and whether the content is asked for."""
    media = path.startswith(_MEDIA)
    bucket, _, key = path.removeprefix(_MEDIA if media else _LIST).partition("/o")
    return unquote(bucket), unquote(key.removeprefix("/")), media


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "errors": [{"message": message, "domain": "global"}]}}


def _send_json(handler: BaseHTTPRequestHandler, status: int, content: Any) -> None:
    body = json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json; charset=UTF-8")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _send_media(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    wanted = handler.headers.get("Range", "")
    part = content
    if wanted:
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1 if last else None]
    handler.send_response(206 if wanted else 200)
    handler.send_header("Content-Type", "application/octet-stream")
    handler.send_header("Content-Length", str(len(part)))
    if wanted:
        handler.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}")
    handler.end_headers()
    handler.wfile.write(part)
