"""The blocking client against a grpcio server, from one thread and from many."""

import subprocess
import sys
import threading
import time
from concurrent import futures

import pytest
from support.seldon_server import seldon_server

from executor import errors
from executor.client import Client


def threads_of_clients() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("millrace client")]


def test_all_calls() -> None:
    with seldon_server() as (service, target), Client(target) as client:
        client.wait_ready(5)
        assert client.ready()
        answer = client.predict([[1]], puid="p")
        assert (answer.value, answer.puid) == ([[1.0]], "p")
        assert client.feedback(None, answer, 1.0).value == "thanks"
        assert client.model_metadata("m")["name"] == "m"
        assert client.graph_metadata()["name"] == "p"
        assert service.requests[1].reward == 1.0


def test_errors_come_through() -> None:
    with seldon_server() as (_, target), Client(target, timeout_s=0.1) as client:
        with pytest.raises(errors.Error, match="not täday"):
            client.predict("fail", timeout_s=5)
        with pytest.raises(errors.DeadlineError):
            client.predict("slow")
        with pytest.raises(errors.EncodeError):
            client.predict(object())


def test_threads_share_it() -> None:
    with seldon_server() as (_, target), Client(target) as client, futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: client.predict([number]).value, range(40)))
        assert answers == [[float(number)] for number in range(40)]
        assert len(threads_of_clients()) == 1


def test_closing_ends_the_thread() -> None:
    with seldon_server() as (_, target):
        client = Client(target)
        client.predict("x")
        assert threads_of_clients()
        client.close()
        client.close()
        assert not threads_of_clients()
        with pytest.raises(errors.RequestError, match="is closed"):
            client.predict("x")


def test_a_client_never_used_has_no_thread() -> None:
    with Client("localhost:1"):
        assert not threads_of_clients()


def test_closing_ends_calls_of_other_threads() -> None:
    with seldon_server() as (service, target), futures.ThreadPoolExecutor(1) as pool:
        client = Client(target)
        call = pool.submit(client.predict, "slow", timeout_s=30)
        deadline = time.monotonic() + 5
        while not service.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        client.close()
        error = call.exception(timeout=5)
        assert isinstance(error, errors.Error | futures.CancelledError)


def test_a_server_that_is_not_there_is_told_by_exceptions_alone() -> None:
    code = (
        "from executor import errors\n"
        "from executor.client import Client\n"
        "with Client('localhost:1') as client:\n"
        "    for _ in range(2):\n"
        "        try: client.predict([1])\n"
        "        except errors.NodeError as error: print(error.status)\n"
    )
    for before in ("", "import logging; logging.basicConfig(level=logging.INFO)\n"):
        done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == ("UNAVAILABLE\nUNAVAILABLE\n", "")
