"""Owns one HTTP call: the request's text, redirects, and compressed answers.

Must not know what is asked, nor what a failure means to who asked.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

from executor import errors
from executor._native import budget as budgets
from executor._native import message as messages
from executor.rest import body as bodies
from executor.rest import http1, proxies
from executor.settings import Address, parse_url
from executor.types import CODED, Keeps

IDLE_TIMEOUT_S = 30.0
CONNECTIONS_MAX = 128
"""To one server. Further calls wait for a free one, under their deadline; how many may wait is `exits.Component`'s."""
REQUESTS_MAX = 10
"""Of one call that is redirected on and on, as Go's client has it."""
SITES_MAX = 8
"""Other servers that redirects of one node may lead to at a time."""
JOINED_BYTES = 32 * 1024
"""A body up to this size is copied behind its head; a larger one is sent from where it lies."""
LOCATION_CHARS = 200
"""Of a Location, in an error."""
_REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_METHOD = (307, 308)
_SECRETS = (b"authorization: ", b"cookie: ", b"www-authenticate: ")
_SAFE = "/%:@!$&'()*+,;=~?"

Done = Callable[[http1.Reply | None, Exception | None], object]


@dataclass(slots=True)
class Request:
    """What is sent. `lines` are its header lines, `kind` those that speak of its body."""

    verb: str
    where: str
    lines: bytes
    kind: bytes
    body: http1.Buffers | None
    keeps: Keeps = Keeps.NONE
    """Which compressed answers are wanted as they are, where they are ones to pass on."""


class Site:
    """One server and its connections, and those that it redirects to."""

    def __init__(
        self,
        address: Address,
        limit: int,
        connect_timeout_s: float,
        tls: Callable[[], ssl.SSLContext] | None = None,
        *,
        memory: budgets.Budget | None = None,
        home: "Site | None" = None,
    ) -> None:
        self.base = f"{address.scheme.value}://{address.authority}"
        self.limit = limit
        self._host = address.authority
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._home = home or self
        self._others: dict[str, Site] = {}
        self.proxy = proxies.proxy_of(address)
        self.pool = http1.Pool(
            address if self.proxy is None else self.proxy.address,
            max_reply_bytes=limit,
            connections_max=CONNECTIONS_MAX,
            connect_timeout_s=connect_timeout_s,
            idle_s=IDLE_TIMEOUT_S,
            tls=tls if address.scheme.is_tls else None,
            memory=memory,
        )

    def head(self, verb: str, where: str) -> bytes:
        """The first lines of a request."""
        target = where if self.proxy is None else self.base + where
        text = f"{verb} {target} HTTP/1.1\r\nhost: {self._host}\r\n"
        return text.encode("latin-1", "replace") + (b"" if self.proxy is None else self.proxy.line)

    def other(self, base: str) -> "Site":
        """The server at `base`. Raises `errors.RequestError` for what is no URL of one, and ProtocolError."""
        home = self._home
        if base == home.base:
            return home
        site = home._others.get(base)
        if site is None:
            address = parse_url(_with_port(base), "redirect to")
            if address.scheme.is_tls and home._tls is None:
                raise http1.ProtocolError(f"it redirects to {base}, but has no TLS settings of its own")
            if len(home._others) == SITES_MAX:
                home._make_room()
            memory = home.pool.memory
            site = Site(address, self.limit, self._connect_timeout_s, home._tls, memory=memory, home=home)
        else:
            del home._others[base]
        home._others[base] = site  # the last one used stands last
        return site

    def _make_room(self) -> None:
        """Forgets the other server that was not used for longest, of those that no call is under way to."""
        for base, site in self._others.items():
            if not site.pool.busy:
                site.pool.end_idle()
                del self._others[base]
                return
        raise http1.ProtocolError(f"it redirects to more than {SITES_MAX} other servers at a time")

    def report(self) -> list[tuple[str, str]]:
        """Address and state of each connection to this server and to those it redirects to."""
        return [(each._host, state) for each in (self, *self._others.values()) for state in each.pool.states()]

    async def close(self) -> None:
        """Closes the connections; calls under way fail. Call it once or often."""
        for site in list(self._others.values()):
            await site.pool.close()
        await self.pool.close()


class Call:
    """One request and, where its answer redirects, more. `done(reply, error)` is called once, unless cancelled."""

    __slots__ = (
        "_done", "_exchange", "_location", "_over", "_request", "_site", "_times",
        "retries", "status", "timing", "waited",
    )  # fmt: skip

    def __init__(self, site: Site, request: Request, done: Done, head: bytes | None = None) -> None:
        self._site = site
        self._request = request
        self._done = done
        self._times = 0
        self._over = False
        self._location: str | None = None
        self.waited = 0.0
        """How long it waited for connections; unit: seconds."""
        self.retries = 0
        """How often it was sent again, redirects not counted."""
        self.status = 0
        """Of the answer, once there is one."""
        self.timing: str | None = None
        """What the answer says of the time that it took."""
        self._exchange: http1.Exchange | None = None
        self._send(head or site.head(request.verb, request.where))

    def cancel(self) -> None:
        """Nobody waits any more."""
        if self._exchange is not None:
            self._exchange.cancel()
            self._add(self._exchange)
        self._over = True

    def _send(self, head: bytes) -> None:
        request = self._request
        self._times += 1
        idempotent = request.verb == "GET"
        self._exchange = self._site.pool.begin(_written(head, request), self._ended, idempotent=idempotent)

    def _add(self, exchange: http1.Exchange) -> None:
        if not self._over:
            self.waited += exchange.waited
            self.retries += exchange.sent_again

    def _ended(self, reply: http1.Reply | None, error: Exception | None) -> None:
        if self._over:
            return
        if self._exchange is not None:
            self._add(self._exchange)
        if reply is not None:
            self.status, self.timing = reply.status, reply.timing
        if reply is not None and self._kept(reply):
            reply.content_type = f"{reply.content_type or 'application/json'}{CODED}{reply.content_encoding}"
        elif reply is not None and (reply.status in _REDIRECTS or self._reads(reply)):
            try:
                if reply.status in _REDIRECTS and reply.location:
                    self._location = reply.location
                    self._follow(reply, reply.location)
                    return
                self._inflate(reply)
            except Exception as cause:  # whatever it is, who waits is told
                reply.give()  # what was raised may hold it for a while
                reply, error = None, _said(cause)
        self._over = True
        if error is not None and self._site.proxy is not None:
            error.add_note(f"through the proxy at {self._site.proxy.address.authority}")
        if error is not None and self._location is not None:
            error.add_note(f"it redirects to {_shown(self._location)}")
        self._done(reply, error)

    def _follow(self, reply: http1.Reply, location: str) -> None:
        """As Go's client does: 307 and 308 are sent again as they were, after the others follows a GET, which keeps the
        headers that speak of the body.
        """
        if self._times == REQUESTS_MAX:
            raise http1.ProtocolError(f"stopped after {REQUESTS_MAX} redirects")
        request, site = self._request, self._site
        target = urlsplit(urljoin(site.base + request.where, location))
        if target.scheme not in ("http", "https") or not target.hostname:
            raise http1.ProtocolError("the redirect leads to no HTTP server")
        where = quote(target.path or "/", safe=_SAFE) + (f"?{quote(target.query, safe=_SAFE)}" if target.query else "")
        lines = request.lines
        base = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
        if base != site.base:
            self._site = site.other(base)
            lines = b"".join(line for line in lines.splitlines(True) if not line.startswith(_SECRETS))
        if reply.status in _KEEP_METHOD:
            self._request = replace(request, where=where, lines=lines)
        else:
            self._request = Request("GET", where, lines + request.kind, b"", None, request.keeps)
        self._send(self._site.head(self._request.verb, where))

    def _kept(self, reply: http1.Reply) -> bool:
        """Whether an answer goes on in its coding."""
        keeps, coding = self._request.keeps, reply.content_encoding
        if keeps is Keeps.NONE or coding is None or reply.status != 200:
            return False
        return keeps is Keeps.ALL or _plain(coding) not in bodies.CODINGS

    def _reads(self, reply: http1.Reply) -> bool:
        """Whether its coding is undone. Of a refusal that cannot be read the status still counts."""
        coding = reply.content_encoding
        return coding is not None and (reply.status == 200 or _plain(coding) in bodies.CODINGS)

    def _inflate(self, reply: http1.Reply) -> None:
        coding = _plain(reply.content_encoding or "")
        try:
            body = bodies.inflate(reply.body, coding, self._site.limit)
        except errors.LimitError:
            raise http1.TooLargeError from None
        grown = max(0, len(body) - len(reply.body))
        if not reply.take(self._site.pool.memory, grown):
            raise http1.NoMemoryError(len(body), self._site.pool.memory)
        reply.body = body
        reply.inflated = True


def body_of(message: messages.Message) -> http1.Buffers:
    """The bytes of a message, to be sent: copied together where they are few."""
    if len(message) <= JOINED_BYTES:
        return (bytes(message),)
    return tuple(memoryview(part) for part in message.parts())


def _plain(coding: str) -> str:
    return coding.strip().lower()


def _said(cause: Exception) -> Exception:
    """The error of a call for what was raised as its answer was read."""
    if isinstance(cause, errors.Error):
        return http1.ProtocolError(cause.message)
    if isinstance(cause, ValueError):
        return http1.ProtocolError(f"the redirect is no URL: {cause}")
    return cause


def _shown(location: str) -> str:
    return repr(location if len(location) <= LOCATION_CHARS else f"{location[:LOCATION_CHARS]}…")


def _written(head: bytes, request: Request) -> http1.Buffers:
    if request.body is None:
        return (b"%b%b\r\n" % (head, request.lines),)
    size = sum(map(len, request.body))
    whole = b"%b%b%bcontent-length: %d\r\n\r\n" % (head, request.lines, request.kind, size)
    if size <= JOINED_BYTES:
        return (whole + b"".join(request.body),)
    return (whole, *request.body)


def _with_port(base: str) -> str:
    parts = urlsplit(base)
    if parts.port is not None:
        return base
    return f"{base}:{443 if parts.scheme == 'https' else 80}"
