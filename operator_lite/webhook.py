"""Owns the admission webhook of one replica: what is answered over HTTP, and the parts that serve it.

Must not decide what is right (`admission` asks those who do).

    POST /validate-machinelearning-seldon-io-v1-seldondeployment    takes or refuses
    POST /mutate-machinelearning-seldon-io-v1-seldondeployment      fills in defaults
    GET  /healthz, /readyz                                          for probes

Every replica serves, whoever leads.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from operator_lite import admission
from operator_lite.admission import Answer, Malformed
from operator_lite.api import Api
from operator_lite.certificates import Keys
from operator_lite.config import Config
from operator_lite.serving import Contexts, Server
from operator_lite.trust import Place, Trust

log = logging.getLogger(__name__)

REVIEWS: Mapping[str, Answer] = {
    "/validate-machinelearning-seldon-io-v1-seldondeployment": admission.validate,
    "/mutate-machinelearning-seldon-io-v1-seldondeployment": admission.mutate,
}
PAGES = ("/healthz", "/readyz")
BODY_MAX = 8 << 20
"""An update has two objects, each of which Kubernetes takes up to 3 MiB of."""
BODY_S = 10.0
"""The longest that an API server waits for an answer by default."""
DISCARD_MAX = 32 << 20
"""Of one that is larger than that, what is still taken before it is told so."""
BODIES_MAX = 64 << 20
"""Of all requests together."""
AT_ONCE_MAX = 4
"""Reviews that are worked on; the others wait."""
LINGER_S = 3.0
"""How long a webhook that was told to stop still answers: its Service takes a moment to hear of it."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Rejected(Exception):
    """A request that is no good: the status, and why."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class App:
    """The ASGI app. `config` is asked for each review."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self._held = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        headers = {"content-type": "text/plain; charset=utf-8"}
        try:
            status, body = 200, await self._answer(scope, receive)
            if scope["path"] in REVIEWS:
                headers = {"content-type": "application/json"}
        except Rejected as error:
            log.info("%s %s: %d %s", scope["method"], scope["path"], error.status, error)
            status, body = error.status, f"{error}\n".encode()
            headers |= error.headers
        except Exception:
            log.exception("%s %s: the review failed", scope["method"], scope["path"])
            status, body = 500, b"the review failed; see the log of the operator\n"
        headers["content-length"] = str(len(body))
        listed = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": listed})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        path, method = scope["path"], scope["method"]
        if path in PAGES:
            if method not in ("GET", "HEAD"):
                raise Rejected(405, f"{path} takes GET", allow="GET, HEAD")
            return b"ok\n"
        if path not in REVIEWS:
            raise Rejected(404, f"there is nothing at {path}; there is {', '.join([*REVIEWS, *PAGES])}")
        if method != "POST":
            raise Rejected(405, f"{path} takes POST", allow="POST")
        if _header(scope, b"content-type").partition(b";")[0].strip().lower() != b"application/json":
            raise Rejected(415, "the body must be application/json", connection="close")
        return await self._review(scope, receive, REVIEWS[path])

    async def _review(self, scope: MutableMapping[str, Any], receive: Receive, answer: Answer) -> bytes:
        body = bytearray()
        try:
            await asyncio.wait_for(self._read(scope, receive, body), BODY_S)
            async with self._turns:
                return await asyncio.to_thread(admission.review, bytes(body), answer, self._config())
        except TimeoutError:
            raise Rejected(408, f"the body did not come within {BODY_S:g} s", connection="close") from None
        except Malformed as error:
            raise Rejected(400, str(error)) from None
        finally:
            self._held -= len(body)

    async def _read(self, scope: MutableMapping[str, Any], receive: Receive, body: bytearray) -> None:
        """The whole body, into `body`."""
        told, more = int(_header(scope, b"content-length") or b"0"), True
        while more:
            if max(told, len(body)) > BODY_MAX:
                await _discard(receive)
                raise Rejected(413, f"the body is larger than the {BODY_MAX} bytes allowed", connection="close")
            if self._held > BODIES_MAX:
                raise Rejected(503, "other requests have all the memory there is", connection="close")
            event = await receive()
            if event["type"] != "http.request":
                raise Rejected(400, "the body broke off")
            body += event.get("body", b"")
            self._held += len(event.get("body", b""))
            more = event.get("more_body", False)


async def _discard(receive: Receive) -> None:
    """Drops the rest of a body: a close with bytes unread could lose the answer."""
    left, more = DISCARD_MAX, True
    while more and left > 0:
        event = await receive()
        left -= len(event.get("body", b""))
        more = event["type"] == "http.request" and event.get("more_body", False)


def _header(scope: MutableMapping[str, Any], name: bytes) -> bytes:
    found: bytes = dict(scope["headers"]).get(name, b"")
    return found


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the webhook listens, and what it is called in the cluster."""

    place: Place
    port: int = 4443
    host: str = "0.0.0.0"
    linger_s: float = LINGER_S


def settings(said: Mapping[str, Any] | None, namespace: str) -> Settings | None:
    """What the options say (`executor.webhook_options`), for an operator in `namespace`."""
    if said is None:
        return None
    place = Place(namespace, said["service"], said["secret"], said["configuration"])
    return Settings(place, said["port"], said["host"])


class Webhook:
    """The webhook, its certificates, and the thread of each. `served` is the usual way in."""

    def __init__(self, settings: Settings, api: Api, config: Callable[[], Config]) -> None:
        self._settings = settings
        self._contexts = Contexts()
        self._server = Server(App(config), self._contexts, settings.host, settings.port)
        self._trust = Trust(api, settings.place, self._use)
        self._looking = threading.Thread(target=self._trust.run, name="webhook trust", daemon=True)
        self._changes = threading.Lock()
        self._is_over = False

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    @property
    def is_ready(self) -> bool:
        """Whether it answers."""
        return self._server.is_alive

    def start(self) -> None:
        """Begins; it answers as soon as there is a certificate."""
        self._looking.start()

    def stop(self) -> None:
        """Answers for a little while yet, then no more."""
        self._trust.stop()
        if self._server.is_alive:
            time.sleep(self._settings.linger_s)
        self._looking.join(self._settings.linger_s)
        with self._changes:
            self._is_over = True
            self._server.stop()

    def _use(self, keys: Keys) -> None:
        self._contexts.use(keys)
        with self._changes:
            if not self._server.is_alive and not self._is_over:
                self._server.start()
                log.info("the webhook answers on port %d", self._server.port)


@contextlib.contextmanager
def served(settings: Settings | None, api: Api, config: Callable[[], Config]) -> Iterator[Webhook | None]:
    """The webhook, for as long as the block runs; nothing without settings."""
    if settings is None:
        yield None
        return
    webhook = Webhook(settings, api, config)
    webhook.start()
    try:
        yield webhook
    finally:
        webhook.stop()
