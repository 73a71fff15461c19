"""Owns the tests of `bench.certificates`, and of the generator over TLS: real handshakes with independent servers."""

import asyncio
import ssl
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from bench import certificates
from bench.generator import connect_tls, fields_of, http_request
from executor._native import probe_load

ORDER = {"path": "/bench.Test/Call", "host": "127.0.0.1", "port": 0, "ca": "yes"}


@pytest.fixture
def files(tmp_path: Path) -> certificates.Files:
    """A CA and what it has signed."""
    return certificates.make(tmp_path)


@pytest.fixture
def echo(files: certificates.Files) -> Iterator[int]:
    """The port of a grpcio server over TLS."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
    method = grpc.unary_unary_rpc_method_handler(lambda body, context: body, None, None)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Test", {"Call": method}),))
    pair = (Path(files.key).read_bytes(), Path(files.cert).read_bytes())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.parametrize("size", [1, 4096, 600_000])
def test_grpc_over_tls_answers_what_was_sent(files: certificates.Files, echo: int, size: int) -> None:
    request = bytes(range(256)) * (size // 256) or b"x"
    sockets = connect_tls("127.0.0.1", echo, 2, files.ca, "h2")
    load = probe_load.Load("grpc", sockets, request, fields=fields_of(ORDER), streams=3, accepted=[request])
    outcome = load.run(count=30, drain_s=60)
    load.close()
    assert (outcome["answered"], outcome["errors"]) == (30, 0), outcome["first_error"]
    assert all(sock.fileno() == -1 for sock in sockets)


def test_http_over_tls_and_a_server_that_leaves(files: certificates.Files) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    context.set_alpn_protocols(["http/1.1"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(5):
            await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + body)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def main() -> "tuple[probe_load.Outcome, probe_load.Outcome]":
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        request = http_request({"path": "/", "host": "127.0.0.1", "port": port}, b"{}")

        def drive() -> "tuple[probe_load.Outcome, probe_load.Outcome]":
            sockets = connect_tls("127.0.0.1", port, 1, files.ca, "http/1.1")
            load = probe_load.Load("http", sockets, request, accepted=[b"{}"])
            found = load.run(count=5, drain_s=60), load.run(count=1, drain_s=60)
            load.close()
            return found

        async with server:
            return await asyncio.to_thread(drive)

    good, late = asyncio.run(main())
    assert (good["answered"], good["errors"]) == (5, 0)
    assert late["errors"] == 1
    assert "closed by the server" in late["first_error"]


def test_a_server_of_another_ca_is_not_talked_to(echo: int, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = certificates.make(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect_tls("127.0.0.1", echo, 1, stranger.ca, "h2")


def test_a_server_that_does_not_speak_the_protocol_is_refused(files: certificates.Files, echo: int) -> None:
    with pytest.raises(OSError, match="agree"):
        connect_tls("127.0.0.1", echo, 1, files.ca, "nothing")


def test_tls_requests_name_their_scheme() -> None:
    assert (":scheme", "https") in fields_of(ORDER)
    assert (":scheme", "http") in fields_of({**ORDER, "ca": ""})
