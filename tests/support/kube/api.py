"""Owns a small client of the API server: JSON in and out, by path. Also what tests wait for.

Must not be what the operator talks with: the two are checks on each other.
"""

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import yaml

Object = dict[str, Any]
TIMEOUT_S = 30.0
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(Exception):
    """The API server's answer when it is none of the good ones."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Api:
    """A client for whom a kubeconfig names. Each thread has a connection of its own."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._host = urlsplit(cluster["server"]).netloc
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        if "client-certificate" in user:
            self._tls.load_cert_chain(user["client-certificate"], user["client-key"])
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._local = threading.local()
        self._kept: list[http.client.HTTPSConnection] = []

    def close(self) -> None:
        """Closes the connections of all threads; the next question opens another."""
        while self._kept:
            self._kept.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, **query: str) -> Object:
        """An object, or a list of objects."""
        return self._ask("GET", path, query)

    def find(self, path: str) -> Object | None:
        """An object, or None when it is not there."""
        try:
            return self.get(path)
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Object]:
        """The objects of a list."""
        found = self.get(path, **query)["items"]
        assert isinstance(found, list)
        return found

    def create(self, path: str, content: Mapping[str, Any]) -> Object:
        """POSTs a new object."""
        return self._ask("POST", path, {}, content)

    def replace(self, path: str, content: Mapping[str, Any]) -> Object:
        """PUTs an object."""
        return self._ask("PUT", path, {}, content)

    def patch(self, path: str, content: Mapping[str, Any], form: str = MERGE, **query: str) -> Object:
        """PATCHes an object."""
        return self._ask("PATCH", path, query, content, form)

    def delete(self, path: str, **options: Any) -> Object:
        """DELETEs an object."""
        return self._ask("DELETE", path, {}, {"kind": "DeleteOptions", "apiVersion": "v1", **options})

    def text(self, path: str) -> tuple[int, str]:
        """Status and body of anything that is no JSON."""
        status, said = self._exchange("GET", path, None, {})
        return status, said.decode(errors="replace")

    def watch(self, path: str, version: str, **query: str) -> Generator[Object]:
        """Events from a version on, until the server ends them."""
        connection = self._connection(timeout_s=330)
        try:
            asked = urlencode({**query, "watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true",
                               "timeoutSeconds": "300"})  # fmt: skip
            connection.request("GET", f"{path}?{asked}", headers=self._headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise Refused(answer.status, answer.read().decode(errors="replace"))
            while line := answer.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, query: Mapping[str, str], content: Mapping[str, Any] | None = None,
        form: str = "application/json",
    ) -> Object:  # fmt: skip
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": form, "Accept": "application/json"}
        status, said = self._exchange(method, f"{path}?{urlencode(query)}" if query else path, body, headers)
        try:
            answer = json.loads(said)
        except ValueError:
            answer = {"message": said.decode(errors="replace")}
        if status >= 300:
            raise Refused(status, answer.get("message", ""))
        assert isinstance(answer, dict)
        return answer

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        for fresh in (False, True):
            connection = None if fresh else getattr(self._local, "connection", None)
            kept = connection is not None
            connection = connection or self._connection(TIMEOUT_S)
            if not kept:
                self._local.connection = connection
                self._kept.append(connection)
            try:
                connection.request(method, path, body, {**self._headers, **headers})
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self._local.connection = None
                if not kept or method == "POST":
                    raise
        raise AssertionError("unreachable: the second try returns or raises")

    def _connection(self, timeout_s: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, context=self._tls, timeout=timeout_s)


def decoded(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """The values of a Secret."""
    return {name: base64.b64decode(value) for name, value in (secret.get("data") or {}).items()}


def eventually(question: Callable[[], Any], timeout_s: float = 30.0, what: str = "") -> Any:
    """The first answer that is true; fails the test when none comes in time. What is not there yet is asked again."""
    due = time.monotonic() + timeout_s
    while True:
        try:
            answer = question()
        except Refused as refused:
            if refused.code != 404:
                raise
            answer = None
        if answer:
            return answer
        assert time.monotonic() < due, f"not within {timeout_s} s: {what or question}"
        time.sleep(0.05)
