"""Owns opening a connection to a server by name, any of its addresses first, and looking whether an idle one has ended.

Must not keep connections.
"""

import asyncio
import ipaddress
import random
import select
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from executor._native import tls as veils
from executor.settings import Address

Made = TypeVar("Made", bound=asyncio.BaseProtocol)


async def connect(address: Address, protocol: Callable[[], Made], context: ssl.SSLContext | None) -> Made:
    """A connection, over TLS with `context`. The other addresses are tried where one fails. Raises OSError."""
    loop = asyncio.get_running_loop()
    named = None if context is None else address.host
    found = await addresses(address)
    for index, (family, host) in enumerate(found):
        try:
            _, made = await loop.create_connection(
                protocol, host, address.port, family=family, ssl=context, server_hostname=named
            )
            return made
        except OSError:
            if index == len(found) - 1:
                raise
    raise OSError(f"{address.host} has no address")


def tls_words(error: ssl.SSLError) -> str:
    """What went wrong, as a client sees it. A server that refuses it after the handshake may just hang up."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the peer hung up without a word; does it require a client certificate?"
    return str(veils.words_of(error))


async def addresses(address: Address) -> list[tuple[int, str]]:
    """Family and address of each place where a server is, in any order, so that each gets its share."""
    if _is_literal(address.host):
        return [(0, address.host)]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except UnicodeError as cause:  # what no name of a host can be, such as an empty label
        raise OSError(f"{address.host!r} is not the name of a host: {cause}") from None
    places: list[tuple[int, str]] = [*dict.fromkeys((int(family), str(where[0])) for family, _, _, _, where in found)]
    random.shuffle(places)
    return places


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def has_something(transport: asyncio.Transport | None) -> bool:
    """Whether something came on an idle connection: its end, most likely."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
