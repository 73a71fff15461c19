"""Tests `serving` over real sockets: keys that change under open connections, and clients that waste what there is."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import h11
import pytest

from executor.errors import Error
from operator_lite import certificates, serving
from operator_lite.certificates import Keys
from operator_lite.serving import Contexts, Server

HOST = "millrace-webhook.ns.svc"
PATIENCE_S = 30.0


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


def made() -> Keys:
    return certificates.renewed({}, (HOST,), datetime.now(UTC))


class Scene:
    """A server, and clients of it."""

    def __init__(self) -> None:
        self.contexts = Contexts()
        self.keys = made()
        self.contexts.use(self.keys)
        self.server = Server(hello, self.contexts, "127.0.0.1")
        self.server.start()
        self.sockets = contextlib.ExitStack()

    def plain(self) -> socket.socket:
        return self.sockets.enter_context(socket.create_connection(("127.0.0.1", self.server.port), PATIENCE_S))

    def connect(self, keys: Keys | None = None, name: str = HOST) -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=(keys or self.keys).bundle.decode())
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return self.sockets.enter_context(context.wrap_socket(self.plain(), server_hostname=name))


@pytest.fixture
def scene() -> Iterator[Scene]:
    found = Scene()
    with found.sockets:
        yield found
    found.server.stop()
    assert not found.server.is_alive


def ask(connection: socket.socket) -> tuple[int, bytes]:
    """One request on a connection that stays."""
    protocol = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target="/", headers=[("Host", "x")])
    connection.sendall(protocol.send(request) + protocol.send(h11.EndOfMessage()))
    status, body = 0, b""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(connection.recv(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return status, body


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side ends the connection, sooner or later."""
    try:
        while connection.recv(65536):
            continue
    except ssl.SSLEOFError:
        return True
    except OSError as error:
        return not isinstance(error, TimeoutError)
    return True


def test_it_serves_who_trusts_its_ca(scene: Scene) -> None:
    assert ask(scene.connect()) == (200, b"hi")
    with pytest.raises(ssl.SSLCertVerificationError):
        scene.connect(made())
    with pytest.raises(ssl.SSLCertVerificationError):
        scene.connect(name="other.ns.svc")


def test_old_tls_is_refused(scene: Scene) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=scene.keys.bundle.decode())
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(scene.plain(), server_hostname=HOST)


def test_new_keys_serve_new_connections_and_leave_open_ones_alone(scene: Scene) -> None:
    before = scene.connect()
    assert ask(before) == (200, b"hi")
    other = made()
    scene.contexts.use(other)
    assert ask(before) == (200, b"hi")
    assert ask(scene.connect(other)) == (200, b"hi")
    with pytest.raises(ssl.SSLCertVerificationError):
        scene.connect(scene.keys)


def test_clients_that_name_no_host_get_the_new_keys_too(scene: Scene) -> None:
    other = made()
    scene.contexts.use(other)
    context = ssl.create_default_context(cadata=other.bundle.decode())
    context.check_hostname = False
    with context.wrap_socket(scene.plain()) as connection:
        assert ask(connection) == (200, b"hi")


def test_no_keys_are_left_in_files(scene: Scene, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scene.contexts.use(made())
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_tls_is_closed(scene: Scene) -> None:
    connection = scene.plain()
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert is_closed(connection)
    assert ask(scene.connect()) == (200, b"hi")


def test_a_handshake_that_does_not_go_on_is_ended(scene: Scene) -> None:
    assert is_closed(scene.plain())


def test_a_head_that_does_not_end_is_not_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.2)
    silent, slow, second = (scene.connect() for _ in range(3))
    slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert ask(second) == (200, b"hi")
    second.sendall(b"GET /")
    assert [is_closed(each) for each in (silent, slow, second)] == [True] * 3


def test_an_open_connection_may_be_silent_between_requests(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_S", 0.2)
    connection = scene.connect()
    assert ask(connection) == (200, b"hi")
    time.sleep(0.6)
    assert ask(connection) == (200, b"hi")


def test_a_head_is_bounded(scene: Scene) -> None:
    connection = scene.connect()
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 2 * serving.HEAD_BYTES_MAX)
    assert connection.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "junk", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n" * 9]
)
def test_what_is_no_request_harms_nobody(scene: Scene, junk: bytes) -> None:
    connection = scene.connect()
    connection.sendall(junk)
    connection.shutdown(socket.SHUT_WR)
    assert is_closed(connection)
    assert ask(scene.connect()) == (200, b"hi")


def test_connections_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CONNECTIONS_MAX", 2)
    first, second = scene.connect(), scene.connect()
    assert ask(first) == ask(second) == (200, b"hi")
    assert is_closed(scene.connect())
    assert ask(first) == (200, b"hi")
    first.close()
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            assert ask(scene.connect()) == (200, b"hi")
            return
    pytest.fail("a place that became free is not given to another")


def test_a_port_that_is_taken_is_told(scene: Scene) -> None:
    with pytest.raises(
        Error, match=f"the webhook cannot listen on 127.0.0.1:{scene.server.port}: Address already in use"
    ):
        Server(hello, Contexts(), "127.0.0.1", scene.server.port)


def test_one_that_never_began_can_be_stopped() -> None:
    server = Server(hello, Contexts(), "127.0.0.1")
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), 5)
