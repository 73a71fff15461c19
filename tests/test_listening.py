"""Accepting connections: held back, let in again, ended. Ports and paths that are taken are in `test_app`."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from support.rest import until

from executor import errors
from executor.listening import Acceptor, Listeners, told
from executor.settings import ListenSettings


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    made = Listeners(ListenSettings("127.0.0.1", 0, 0))
    yield made
    made.close()


def test_lines_say_where_it_listens(listeners: Listeners) -> None:
    grpc, http = told(listeners.grpc[0]), told(listeners.http[0])
    assert listeners.lines() == [f"gRPC on {grpc}", f"REST on http://{http}"]
    assert listeners.lines(secure=True) == [f"gRPC on {grpc} (TLS)", f"REST on https://{http}"]


async def test_connections_wait_while_held(listeners: Listeners) -> None:
    taken: list[socket.socket] = []
    acceptor = Acceptor(asyncio.get_running_loop(), taken.append)
    acceptor.hold(True)
    acceptor.start(listeners.grpc)
    where = listeners.grpc[0].getsockname()
    clients = [socket.create_connection(where) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert taken == []
    acceptor.hold(False)
    await until(lambda: len(taken) == 2)
    acceptor.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where)
    for each in [*clients, *taken]:
        each.close()


def test_one_port_for_both_is_refused() -> None:
    with pytest.raises(errors.RequestError, match="--grpc-port and --http-port are both 7000"):
        Listeners(ListenSettings(grpc_port=7000, http_port=7000))


def test_every_address_is_listened_on() -> None:
    made = Listeners(ListenSettings("*", 0, None))
    try:
        made.listen_grpc()
        port = made.grpc[0].getsockname()[1]
        hosts = ["127.0.0.1", "127.0.0.2"] + (["::1"] if made.grpc[0].family == socket.AF_INET6 else [])
        for host in hosts:
            socket.create_connection((host, port)).close()
        with pytest.raises(
            errors.RequestError, match=f"--grpc-port {port}: cannot listen on .*: Address already in use"
        ):
            Listeners(ListenSettings("*", port, None))
    finally:
        made.close()


def test_metrics_may_have_a_port_of_their_own() -> None:
    listeners = Listeners(ListenSettings("127.0.0.1", 0, 0), metrics_port=0)
    listeners.listen_http()
    port = listeners.metrics[0].getsockname()[1]
    assert listeners.lines()[0] == f"metrics on http://127.0.0.1:{port}"
    with pytest.raises(errors.RequestError, match=f"--metrics-port {port}: cannot listen"):
        Listeners(ListenSettings("127.0.0.1", None, None), metrics_port=port)
    listeners.close()
