"""Owns all talk with the API server: no other module knows the `kubernetes` client.

Must not know what is asked for, nor try anything twice: who asks knows how long it may wait.

Of the client it uses the settings (in a cluster, or from a kubeconfig, with tokens that are renewed) and the requests
of its DynamicClient, with paths of our own: discovery would ask for hundreds of kinds.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import urllib3.exceptions
from kubernetes import client
from kubernetes import config as kubeconfig
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from yaml import YAMLError

from executor import __version__
from executor.errors import Error
from operator_lite.kinds import Kind, of
from operator_lite.managed import MANAGER
from operator_lite.scope import Object

TIMEOUT_S = 30.0
PAGE = 500
CONNECTIONS = 32
KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""A watch says nothing for minutes; that its connection is gone shows within one."""
ENDING = "NamespaceTerminating"
"""The cause of a refusal to make anything where all is being deleted."""
OnCall = Callable[[str, int, float], None]
"""Is told of each request: its verb, the status of the answer (0 if there was none), and the seconds it took."""


class ApiError(Error):
    """The API server refused a request. `code` is the HTTP status, `cause` Kubernetes' own word for it."""

    def __init__(self, code: int, cause: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause


class Unreachable(ApiError):
    """No answer came: the server is away, or the connection broke."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)


class Api:
    """An API server."""

    def __init__(
        self,
        settings: client.Configuration,
        on_call: OnCall = lambda verb, code, seconds: None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        settings.retries = False
        settings.connection_pool_maxsize = CONNECTIONS
        settings.socket_options = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            *((socket.IPPROTO_TCP, getattr(socket, name), each) for name, each in KEEPALIVE if hasattr(socket, name)),
        ]
        plain = client.ApiClient(settings)
        plain.user_agent = f"millrace-operator/{__version__}"
        self.host: str = settings.host
        self._client = DynamicClient(plain, discoverer=lambda *_: None)
        self._on_call = on_call
        self._timeout_s = timeout_s

    @classmethod
    def connect(
        cls,
        file: str = "",
        context: str = "",
        on_call: OnCall = lambda verb, code, seconds: None,
        timeout_s: float = TIMEOUT_S,
    ) -> Self:
        """The server of a kubeconfig, or that of the cluster that this process runs in. Raises `Error`."""
        settings = client.Configuration()
        try:
            if file or context or not _in_cluster(settings):
                kubeconfig.load_kube_config(file or None, context or None, settings)
        except (kubeconfig.ConfigException, OSError, YAMLError, ValueError, TypeError, LookupError) as cause:
            raise Error(f"no API server is known: {_lacking(file) or cause}", reason="NO_CLUSTER") from cause
        return cls(settings, on_call, timeout_s)

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """One object; None if there is none."""
        try:
            return self._json("get", kind.path(namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def items(self, kind: Kind, namespace: str = "", labels: str = "") -> tuple[list[Object], str]:
        """All objects, and the version that they are of."""
        found: list[Object] = []
        token = ""
        while True:
            said = {"labelSelector": labels, "limit": str(PAGE), "continue": token}
            page = self._json("get", kind.path(namespace), said)
            found += ({"apiVersion": kind.api_version, "kind": kind.name, **each} for each in page.get("items") or [])
            token = page["metadata"].get("continue") or ""
            if not token:
                return found, page["metadata"].get("resourceVersion", "")

    def watch(self, kind: Kind, version: str, seconds: int, namespace: str = "", labels: str = "") -> "Stream":
        """What changes after `version`, for `seconds`."""
        said = {"labelSelector": labels, "watch": "true", "resourceVersion": version,
                "timeoutSeconds": str(seconds), "allowWatchBookmarks": "true"}  # fmt: skip
        return Stream(
            self._call("get", kind.path(namespace), said, timeout=(self._timeout_s, seconds + self._timeout_s))
        )

    def apply(self, wanted: Object, manager: str = MANAGER, dry: bool = False) -> Object:
        """Applies what `wanted` says on the server; what others say otherwise is overruled. The object as it is now."""
        meta = wanted["metadata"]
        said = {"fieldManager": manager, "force": "true", **_dry(dry)}
        path = of(wanted).path(meta.get("namespace", ""), meta["name"])
        return self._json("patch", path, said, wanted, "application/apply-patch+yaml")

    def create(self, wanted: Object, manager: str = MANAGER) -> Object:
        """Makes an object that is not there yet."""
        path = of(wanted).path(wanted["metadata"].get("namespace", ""))
        return self._json("post", path, {"fieldManager": manager}, wanted)

    def replace(self, wanted: Object, sub: str = "", dry: bool = False, manager: str = MANAGER) -> Object:
        """Puts an object, or a part of it, in the place of what is there, if that is still of the same version."""
        meta = wanted["metadata"]
        path = of(wanted).path(meta.get("namespace", ""), meta["name"], sub)
        return self._json("put", path, {"fieldManager": manager, **_dry(dry)}, wanted)

    def patch(self, found: Object, changes: list[Object]) -> Object:
        """Changes an object by a JSON patch."""
        path = of(found).path(found["metadata"].get("namespace", ""), found["metadata"]["name"])
        return self._json("patch", path, {"fieldManager": MANAGER}, changes, "application/json-patch+json")

    def delete(self, found: Object, wait_for_dependents: bool = False) -> None:
        """Deletes this very object, not one that came in its place. That it is gone already is well.

        With `wait_for_dependents` it stays, marked, until all that it owns is gone.
        """
        meta = found["metadata"]
        policy = "Foreground" if wait_for_dependents else "Background"
        options = {"apiVersion": "v1", "kind": "DeleteOptions",
                   "propagationPolicy": policy, "preconditions": {"uid": meta["uid"]}}  # fmt: skip
        try:
            self._json("delete", of(found).path(meta.get("namespace", ""), meta["name"]), {}, options)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def _json(
        self,
        verb: str,
        path: str,
        query: dict[str, str] | None = None,
        body: object = None,
        content: str = "application/json",
    ) -> Object:
        answer = self._call(verb, path, query, body, content)
        try:
            found: Object = json.loads(answer.data)
        except (ValueError, urllib3.exceptions.HTTPError, OSError) as cause:
            raise Unreachable(f"{verb} {path}: the answer broke off: {cause}") from cause
        return found

    def _call(
        self,
        verb: str,
        path: str,
        query: dict[str, str] | None = None,
        body: object = None,
        content: str = "application/json",
        timeout: tuple[float, float] | None = None,
    ) -> Any:
        began, code = time.monotonic(), 0
        pairs = [(name, value) for name, value in (query or {}).items() if value]
        try:
            answer = self._client.request(
                verb, path, body, query_params=pairs, content_type=content, header_params={},
                serialize=False, _request_timeout=timeout or self._timeout_s,
            )  # fmt: skip
            code = answer.status
            return answer
        except ApiException as cause:
            code = cause.status or 0
            if not code:  # The client's word for a TLS connection that was not made.
                raise Unreachable(f"{verb} {path}: {cause.reason}") from cause
            raise _refusal(cause, verb, path) from cause
        except (urllib3.exceptions.HTTPError, OSError) as cause:
            raise Unreachable(f"{verb} {path}: {cause}") from cause
        finally:
            watching = "watch" in (query or {})
            self._on_call("watch" if watching else verb, code, time.monotonic() - began)


class Stream:
    """The events of a watch."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[tuple[str, Object]]:
        """Type and object of each event. Raises `ApiError`: with code 410 when the version is too old to go on."""
        rest = b""
        try:
            for part in self._answer.stream(None):
                *lines, rest = (rest + part).split(b"\n")
                yield from (self._event(json.loads(line)) for line in lines if line.strip())
        except (ValueError, urllib3.exceptions.HTTPError, OSError) as cause:
            raise Unreachable(f"a watch broke off: {cause}") from cause
        finally:
            self._answer.close()

    def close(self) -> None:
        """Ends it, from whatever thread."""
        try:
            self._answer.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # It has ended by itself.

    @staticmethod
    def _event(found: Object) -> tuple[str, Object]:
        body = found["object"]
        if found["type"] == "ERROR":
            raise ApiError(body.get("code", 500), body.get("reason", ""), body.get("message", ""))
        return found["type"], body


def _in_cluster(settings: client.Configuration) -> bool:
    try:
        kubeconfig.load_incluster_config(settings)
    except kubeconfig.ConfigException:
        return False
    return True


def _lacking(file: str) -> str:
    """Which file is missing, where that is why; the library says of all that it is invalid."""
    if file:
        return "" if Path(file).exists() else f"--kubeconfig {file}: there is no such file"
    named = [each for each in os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep) if each]
    if any(Path(each).expanduser().exists() for each in named):
        return ""
    return f"this is no pod of a cluster, and there is no {' nor '.join(named)}; --kubeconfig or KUBECONFIG names one"


def _dry(dry: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry else {}


def _refusal(error: ApiException, verb: str, path: str) -> ApiError:
    """The error with what the server says of it."""
    try:
        said = json.loads(error.body or "")
    except (TypeError, ValueError):
        said = {}
    if not isinstance(said, dict):
        said = {}
    message = said.get("message") or f"{verb} {path}: {error.reason}"
    causes = [each.get("reason") for each in (said.get("details") or {}).get("causes") or []]
    cause = ENDING if ENDING in causes else said.get("reason") or str(error.reason)
    return ApiError(error.status, cause, message)
