"""Owns which proxy a server is reached through, by HTTP_PROXY and NO_PROXY as Go's client reads them.

Must not connect anywhere. Servers over TLS and those on this machine are always reached directly.
"""

import base64
import ipaddress
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from executor import errors
from executor.settings import Address, Scheme, parse_url

log = logging.getLogger("millrace.rest")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and the header line that it wants of each request; empty for none."""

    address: Address
    line: bytes = b""


def proxy_of(address: Address, environ: Mapping[str, str] = os.environ) -> Proxy | None:
    """The proxy on the way to `address`; None where there is none. One that cannot be used is told, and not used."""
    said = environ.get("HTTP_PROXY") or environ.get("http_proxy") or ""
    # In a CGI program that variable is a header of the request, which anybody can send.
    if not said or address.scheme is not Scheme.HTTP or "REQUEST_METHOD" in environ:
        return None
    if is_direct(address, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    try:
        return _parsed(said)
    except errors.Error as error:
        log.warning("HTTP_PROXY is not used: %s", error.message)
        return None


def is_direct(address: Address, exceptions: str) -> bool:
    """Whether `address` is on this machine, or among the `exceptions`, which are written as in NO_PROXY."""
    host, place = address.host.lower().rstrip("."), _ip(address.host)
    if host == "localhost" or (place is not None and place.is_loopback):
        return True
    return any(_matches(each.strip().lower(), host, address.port, place) for each in exceptions.split(","))


_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def _matches(exception: str, host: str, port: int, place: _Ip | None) -> bool:
    if exception in ("", "*"):
        return exception == "*"
    name, colon, wanted = exception.rpartition(":")
    if colon and wanted.isdecimal() and (":" not in name or name.startswith("[")):
        exception = name
        if int(wanted) != port:
            return False
    if place is not None:
        try:
            return place in ipaddress.ip_network(exception.strip("[]"), strict=False)
        except ValueError:
            return False
    inner = exception.removeprefix("*")
    if inner.startswith("."):
        return host.endswith(inner)
    return host == inner or host.endswith(f".{inner}")


def _ip(host: str) -> _Ip | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _parsed(said: str) -> Proxy:
    scheme, mark, rest = said.partition("://")
    if not mark:
        scheme, rest = "http", said
    user, at, place = rest.rstrip("/").rpartition("@")
    if scheme.lower() != "http":
        raise errors.RequestError(f"a proxy at {scheme}://{place}: allowed is http://[USER:PASSWORD@]HOST[:PORT]")
    if not place.rpartition(":")[2].isdecimal() or place.endswith("]"):
        place += ":80"
    line = b""
    if at:
        line = b"proxy-authorization: Basic %b\r\n" % base64.b64encode(unquote(user).encode())
    return Proxy(parse_url(f"http://{place}", "HTTP_PROXY"), line)
