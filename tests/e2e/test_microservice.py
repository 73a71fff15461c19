"""`millrace microservice` as a process, by the options and variables of gunicorn and Flask that Seldon's wrapper has.

Also tests `renewal`.
"""

import contextlib
import http.client
import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from support.clients import GrpcClient, Refused
from support.processes import Program, Programs, children, poll
from support.prometheus import samples
from support.wrapping import rest

from executor import cli

HERE = Path(__file__).parent
TREE = {"PYTHONPATH": f"{Path(cli.__file__).parent.parent}:{HERE}"}
Serve = Callable[..., Program]
HURRIED = """
from executor import app
from executor.settings import ListenSettings, NodeSettings, ServeLimits
from executor.wrapper import Wrapper

listen, limits = ListenSettings("127.0.0.1", 0, 0), ServeLimits(drain_timeout_s=0.5)
node = NodeSettings("odd:odd", listen=listen, limits=limits, threads=2, imported=True, wrapper=Wrapper(max_requests=1))
raise SystemExit(app.node(node))
"""


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.chdir(tmp_path)
    with Programs() as programs:

        def started(*options: str, **environment: str) -> Program:
            ports = ("--http-port", "0", "--grpc-port", "0", "--metrics-port", "0", "--host", "127.0.0.1")
            return programs.start("microservice", "odd", *ports, *options, environment={**TREE, **environment}).ready()

        yield started


def text_of(program: Program, said: Any) -> str:
    """The text of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", program.http_port, timeout=20)) as connection:
        connection.request("POST", "/predict", json.dumps(said), {"Content-Type": "application/json"})
        return connection.getresponse().read().decode()


def scrape(program: Program) -> str:
    place = next(line.removeprefix("metrics on http://") for line in program.out.splitlines() if "metrics on" in line)
    with contextlib.closing(http.client.HTTPConnection(place, timeout=20)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()


def pid(program: Program) -> str:
    answer: str = rest(program.http_port, "/predict", {"strData": "pid"})[1]["strData"]
    return answer


def closed(connection: http.client.HTTPConnection) -> bool:
    """Whether it is, before anything else happens on it."""
    assert connection.sock is not None
    connection.sock.settimeout(20)
    return connection.sock.recv(1) == b""


@pytest.mark.parametrize(
    ("variables", "order", "text"),
    [
        ({}, '"jsonData":{"a":2,"b":1}', '"strData":"\\u00e9"'),
        ({"FLASK_JSON_SORT_KEYS": "0"}, '"jsonData":{"b":1,"a":2}', '"strData":"\\u00e9"'),
        ({"FLASK_JSON_AS_ASCII": "0"}, '"jsonData":{"a":2,"b":1}', '"strData":"é"'),
        ({"FLASK_DEBUG": "1"}, '"jsonData": {\n    "a": 2,\n    "b": 1\n  }', '"strData": "\\u00e9"\n}\n'),
    ],
)
def test_json_is_written_as_flask_was_asked(serve: Serve, variables: dict[str, str], order: str, text: str) -> None:
    program = serve(**variables)
    assert order in text_of(program, {"strData": "order"})
    assert text in text_of(program, {"strData": "text"})
    assert ("\n" in text_of(program, {"strData": "fails"})) is ("FLASK_DEBUG" in variables)


def test_dates_are_texts_over_rest_and_an_error_over_grpc(serve: Serve) -> None:
    program = serve()
    told = "Thu, 02 Jan 2020 00:00:00 GMT"
    assert rest(program.http_port, "/predict", {"strData": "dates"})[1]["data"]["ndarray"] == [told]
    assert rest(program.http_port, "/predict", {"strData": "day"})[1]["jsonData"] == {"day": told}
    client = GrpcClient(program.grpc)
    with client.channel, pytest.raises(Refused, match="date cannot be sent"):
        client.predict({"strData": "dates"})


def test_failures_over_grpc_are_unknown(serve: Serve) -> None:
    program = serve()
    client = GrpcClient(program.grpc)
    wanted = {"fails": "a text", "own": "no such thing"}
    with client.channel:
        for said, words in wanted.items():
            with pytest.raises(Refused) as caught:
                client.predict({"strData": said})
            assert caught.value.status is grpc.StatusCode.UNKNOWN
            assert caught.value.text == f"Exception calling application: {words}"
        with pytest.raises(grpc.RpcError, match="Exception calling application: GraphMetadata is a graph's") as other:
            client.stub.GraphMetadata(empty_pb2.Empty(), timeout=20)
        assert other.value.code() is grpc.StatusCode.UNKNOWN
        with pytest.raises(Refused) as caught:
            client.predict({"meta": {"puid": "p"}})
        assert caught.value.status is grpc.StatusCode.UNKNOWN
    assert rest(program.http_port, "/predict", {"strData": "own"})[0] == 404


def test_a_mark_before_the_text_and_data_of_nothing_are_taken(serve: Serve) -> None:
    program = serve()
    marked = b'\xef\xbb\xbf{"strData":"text"}'
    for kind in ("application/json", "application/json; charset=UTF-8"):
        status, said = rest(program.http_port, "/predict", marked, {"Content-Type": kind})
        assert (status, said.get("strData")) == (200, "é")
    for data in ({}, {"names": ["a"]}):
        assert rest(program.http_port, "/predict", {"data": data})[1]["data"]["ndarray"] == []
        client = GrpcClient(program.grpc)
        with client.channel:
            assert client.predict({"data": data}).said["data"] == {"ndarray": []}
    assert rest(program.http_port, "/predict", {"data": {"ndarry": [[1]]}})[0] == 400


@pytest.mark.parametrize("kept", ["1", "0"])
def test_connections_are_kept_as_long_as_asked(serve: Serve, kept: str) -> None:
    program = serve("--keepalive", kept)
    connection = http.client.HTTPConnection("127.0.0.1", program.http_port, timeout=20)
    with contextlib.closing(connection):
        for _ in range(2):
            connection.request("POST", "/predict", '{"strData":"pid"}', {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.will_close is (kept == "0")
        assert kept == "0" or closed(connection)


def test_the_access_log(serve: Serve) -> None:
    program = serve(GUNICORN_ACCESS_LOG="true")
    pid(program)
    scrape(program)
    program.wait_for(lambda: "request (protocol=rest path=/predict code=200" in program.err)
    silent, all_told = serve(), serve("--access-log", FILTER_METRICS_ACCESS_LOGS="false")
    pid(silent)
    scrape(all_told)
    all_told.wait_for(lambda: "path=/metrics code=200" in all_told.err)
    for each in (program, silent):
        each.stop()
    assert "path=/metrics" not in program.err
    assert "path=/predict" not in silent.err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_is_replaced_after_its_requests_and_none_is_lost(serve: Serve, workers: str) -> None:
    program = serve("--max-requests", "20", "--max-requests-jitter", "5", "--workers", workers)
    found: set[str] = set()
    lost: list[object] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", program.http_port, timeout=20)
        with contextlib.closing(connection):
            while len(found) < 4 and not lost:
                connection.request("POST", "/predict", '{"strData":"pid"}', {"Content-Type": "application/json"})
                answer = connection.getresponse()
                said = answer.read()
                if answer.status != 200:
                    lost.append(said)
                else:
                    found.add(json.loads(said)["strData"])

    def ask_and_note() -> None:
        try:
            ask()
        except Exception as error:
            lost.append(error)

    asking = [threading.Thread(target=ask_and_note) for _ in range(3)]
    for each in asking:
        each.start()
    for each in asking:
        each.join(60)
    assert not lost
    assert len(found) >= 4
    assert "which has served its requests" in program.err
    assert Path("served").read_text() == "x"
    program.stop()
    assert program.process.returncode == 0


def test_a_request_of_a_worker_that_is_replaced_is_answered(serve: Serve) -> None:
    program = serve("--max-requests", "2", "--threads", "2")
    said: list[Any] = []
    first = pid(program)
    slow = threading.Thread(target=lambda: said.append(rest(program.http_port, "/predict", {"strData": "slow"})))
    slow.start()
    program.wait_for(Path("begun").exists)
    poll(lambda: pid(program) != first, 30)
    program.wait_for(lambda: "draining" in program.err)
    assert not said
    Path("gate").touch()
    slow.join(20)
    assert [status for status, _ in said] == [200]


def test_a_worker_that_cannot_be_replaced_serves_on(serve: Serve) -> None:
    program = serve("--max-requests", "1")
    Path("broken").touch()
    first = pid(program)
    program.wait_for(lambda: "no worker can be put in the place of 1: node 'odd': load raised" in program.err)
    assert pid(program) == first
    poll(lambda: len(children(program.pid)) == 2, what="the one worker, and the class's own service")


def test_what_was_counted_outlives_replaced_workers(serve: Serve) -> None:
    program = serve("--max-requests", "3")
    name, asked = "seldon_api_model_feedback_total", 0
    seen: set[str] = set()
    while len(seen) < 3:
        seen.add(pid(program))
        rest(program.http_port, "/send-feedback", {"reward": 1.0})
        asked += 1
    assert sum(samples(scrape(program), name)) == asked


@pytest.fixture
def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """The same, its workers replaced after one request, with half a second for requests at a stop."""
    monkeypatch.chdir(tmp_path)
    with Programs() as programs:
        yield programs.start(script=HURRIED, environment=TREE).ready()


def test_a_worker_that_is_replaced_has_no_more_time_than_the_others_at_a_stop(hurried: Program) -> None:
    program = hurried
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(rest, program.http_port, "/predict", {"strData": "slow"})
        poll(Path("begun").exists)
        pid(program)
        program.wait_for(lambda: "which has served its requests" in program.err)
        program.signal(signal.SIGTERM)
        assert program.ended() == 1  # something was cut off
        assert slow.result()[0] == 503
        assert "is killed" not in program.err


def test_a_stop_amid_a_replacement_ends_all(serve: Serve) -> None:
    program = serve("--max-requests", "1")
    pid(program)
    program.wait_for(lambda: "which has served its requests" in program.err)
    pid(program)
    started = children(program.pid)
    program.signal(signal.SIGTERM)
    assert program.ended() == 0
    assert started
    assert not children(program.pid)
