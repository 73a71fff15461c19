"""Owns posting to URLs that take events: pooled connections to each, and what their failures mean.

Must not know what is in an event, nor wait for room: whoever posts bounds how much it posts at once.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote

from executor import errors
from executor._native import http1 as native
from executor.rest import dial, http1
from executor.settings import Address, Scheme, parse_url
from executor.telemetry.payload_log import SendError

CONNECT_TIMEOUT_S = 5.0
IDLE_TIMEOUT_S = 30.0
REPLY_BYTES_MAX = 1024 * 1024
"""More than any receiver has to say beside its status."""
ALLOWED = "allowed is http://HOST[:PORT][/PATH][?QUERY], or https://"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Sink(NamedTuple):
    """Where events are posted to. Made by `parse`."""

    address: Address
    host: str
    """As the URL writes it, for the header."""
    target: str
    """Path and query."""


def parse(url: str, what: str) -> Sink:
    """Reads the URL of a sink. Raises `errors.RequestError` that says what is allowed."""
    scheme, _, rest = url.partition("://")
    if scheme not in _DEFAULT_PORTS or "#" in rest or not rest.isprintable():
        raise errors.RequestError(f"{what} {url!r}: {ALLOWED}")
    rest, mark, query = rest.partition("?")
    host, _, path = rest.partition("/")
    port = "" if re.search(r":\d+$", host) else f":{_DEFAULT_PORTS[scheme]}"
    try:
        address = parse_url(f"{scheme}://{host}{port}", what)
    except errors.RequestError:
        if not port:
            raise
        raise errors.RequestError(f"{what} {url!r}: {ALLOWED}") from None
    safe = "/%:@!$&'()*+,;=~?"
    return Sink(address, host, quote(f"/{path}", safe) + mark + quote(query, safe))


class Sinks:
    """Sends to any number of sinks. Belongs to one event loop."""

    def __init__(self, connections_max: int, tls: Callable[[], ssl.SSLContext]) -> None:
        self._connections_max = connections_max
        self._tls = tls
        self._sinks: dict[str, Sink] = {}
        self._pools: dict[Address, http1.Pool] = {}

    async def post(self, url: str, headers: Sequence[tuple[str, str]], data: Sequence[memoryview]) -> bytes:
        """Posts once, and returns the answer's body; any of 2xx will do. Raises SendError. Time is the caller's:
        cancelling ends it.
        """
        try:
            reply = await self._exchange(url, headers, data)
        except http1.TooLargeError:
            raise SendError(f"{url}: its answer is larger than {REPLY_BYTES_MAX} bytes") from None
        except (http1.ProtocolError, http1.NoMemoryError) as cause:
            raise SendError(f"{url}: {cause}") from cause
        except ssl.SSLError as cause:
            raise SendError(f"{url}: TLS failed: {dial.tls_words(cause)}") from cause
        except OSError as cause:
            if isinstance(cause, TimeoutError) and cause.errno is None:
                raise  # the caller's own
            raise SendError(f"{url}: {cause.strerror or cause or type(cause).__name__}") from cause
        if not 200 <= reply.status < 300:
            raise SendError(f"{url}: answered {reply.status}", reply.status)
        return reply.body

    async def close(self) -> None:
        """Closes all connections. Call it once or often."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    async def _exchange(self, url: str, headers: Sequence[tuple[str, str]], data: Sequence[memoryview]) -> native.Reply:
        sink = self._sinks.get(url) or self._sinks.setdefault(url, parse(url, "sink"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        size = sum(part.nbytes for part in data)
        head = f"POST {sink.target} HTTP/1.1\r\nHost: {sink.host}\r\n{lines}Content-Length: {size}\r\n\r\n"
        return await self._pool(sink.address).request([head.encode("ascii"), *data])

    def _pool(self, address: Address) -> http1.Pool:
        if address not in self._pools:
            self._pools[address] = http1.Pool(
                address,
                max_reply_bytes=REPLY_BYTES_MAX,
                connections_max=self._connections_max,
                connect_timeout_s=CONNECT_TIMEOUT_S,
                idle_s=IDLE_TIMEOUT_S,
                tls=self._tls if address.scheme is Scheme.HTTPS else None,
            )
        return self._pools[address]
