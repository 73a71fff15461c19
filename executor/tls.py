"""Owns TLS contexts: made from files, and made anew when the files change.

Must not move bytes nor know who uses a context.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from executor import errors
from executor.settings import NodeTlsSettings, TlsSettings

log = logging.getLogger("millrace.tls")

Made = TypeVar("Made")

POLL_S = 1.0
"""How often files are looked at."""
HTTP2, HTTP1 = "h2", "http/1.1"


class Source(Generic[Made]):
    """What `make` makes of `files`: `current`, renewed by `check` once they have changed.

    Files that cannot be used are told once, and what was made before stays.
    """

    def __init__(self, make: Callable[[], Made], files: Sequence[str | None]) -> None:
        self._make = make
        self._files = [file for file in files if file is not None]
        self._seen = self._look()
        self.current = make()

    def check(self) -> bool:
        """Looks at the files now; whether something new was made of them."""
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self.current = self._make()
        except errors.Error as error:
            log.error("%s; what was loaded before stays in use", error.message)
            return False
        log.info("loaded again: %s", ", ".join(self._files))
        return True

    async def watch(self) -> None:
        """Checks for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            self.check()

    def _look(self) -> list[tuple[int, int, int] | None]:
        """What tells a changed file; through links, which is how mounted secrets are swapped."""
        return [_look(file) for file in self._files]


def _look(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class ServerContexts:
    """The contexts of both fronts: `grpc` and `rest`. Raises `errors.RequestError` for files that cannot be used."""

    def __init__(self, settings: TlsSettings) -> None:
        self.grpc = server_context(settings, HTTP2)
        self.rest = server_context(settings, HTTP1)


def server_source(settings: TlsSettings) -> Source[ServerContexts]:
    """The contexts of a server. Raises `errors.RequestError`."""
    return Source(lambda: ServerContexts(settings), (settings.cert, settings.key, settings.client_ca))


def rest_context(source: Source[ServerContexts]) -> ssl.SSLContext:
    """One for a listener that takes no other later on: each handshake is given the current one."""
    context = source.current.rest

    def renew(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = source.current.rest

    context.sni_callback = renew
    return context


def node_source(settings: NodeTlsSettings) -> Source["NodeContexts"]:
    """The contexts of connections to nodes. Raises `errors.RequestError`."""
    return Source(lambda: NodeContexts(settings), (settings.ca, settings.cert, settings.key))


class NodeContexts:
    """The contexts of connections to nodes: `grpc` and `rest`. Raises `errors.RequestError`."""

    def __init__(self, settings: NodeTlsSettings) -> None:
        self.grpc = client_context(settings, HTTP2)
        self.rest = client_context(settings, HTTP1)


def server_context(settings: TlsSettings, protocol: str) -> ssl.SSLContext:
    """For one front. Raises `errors.RequestError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    _load_pair(context, settings.cert, settings.key)
    if settings.client_ca is not None:
        _load_ca(context, settings.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(settings: NodeTlsSettings, protocol: str) -> ssl.SSLContext:
    """For connections to servers, whose certificate must be for their name. Raises `errors.RequestError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    if settings.ca is None:
        context.load_default_certs()
    else:
        _load_ca(context, settings.ca)
    if settings.cert is not None:
        _load_pair(context, settings.cert, settings.key)
    return context


def _load_pair(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    try:
        # Without an answer at hand, OpenSSL would ask the terminal for a password.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise errors.RequestError(f"certificate {cert} with key {key or cert}: {_words(error)}") from None
    except OSError as error:
        missing = cert if not os.access(cert, os.R_OK) else key
        raise errors.RequestError(f"certificate {cert} with key {key or cert}: {missing}: {error.strerror}") from None


def _load_ca(context: ssl.SSLContext, file: str) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise errors.RequestError(f"CA certificates {file}: {_words(error)}") from None
    except OSError as error:
        raise errors.RequestError(f"CA certificates {file}: {error.strerror}") from None


_MEANINGS = {
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate in PEM form in it",
    "PEM_LIB": "not in PEM form",
    "BAD_PASSWORD_READ": "keys with a password cannot be used",
    "BAD_DECRYPT": "keys with a password cannot be used",
}


def _words(error: ssl.SSLError) -> str:
    known = error.reason or ""
    if known == "" or known in _MEANINGS:
        return _MEANINGS.get(known, "not in PEM form")
    return known.replace("_", " ").lower()
