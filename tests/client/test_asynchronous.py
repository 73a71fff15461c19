"""The asyncio client against a grpcio server."""

import asyncio
import time
from pathlib import Path

import numpy
import pytest
from support.rest import listener
from support.seldon_server import seldon_server

from executor import errors
from executor.client import AsyncClient
from executor.status import Status


async def test_predict_there_and_back() -> None:
    with seldon_server() as (service, target):
        async with AsyncClient(target) as client:
            answer = await client.predict(
                numpy.array([[1.0, 2.0]]), names=["a", "b"], tags={"t": "x"}, metadata=[("x-key", "v")]
            )
            numpy.testing.assert_array_equal(answer.array(), [[1.0, 2.0]])
            assert (answer.names, answer.tags) == (["a", "b"], {"t": "x"})
        assert service.metadata[0]["x-key"] == "v"
        assert service.metadata[0]["seldon-puid"] == answer.puid
        assert 0 < service.metadata[0]["left_s"] <= 60


async def test_puids_given() -> None:
    with seldon_server() as (service, target):
        async with AsyncClient(target) as client:
            assert (await client.predict("x", puid="p1")).puid == "p1"
            assert (await client.predict("x", metadata=[("Seldon-Puid", "p2")])).puid == "p2"
        assert [metadata["seldon-puid"] for metadata in service.metadata] == ["p1", "p2"]


async def test_meta_and_tags_come_together() -> None:
    with seldon_server() as (service, target):
        async with AsyncClient(target) as client:
            await client.predict("x", meta={"tags": {"a": "1"}, "routing": {"r": 0}}, tags={"b": "2"})
        meta = service.requests[0].meta
        assert {name: value.string_value for name, value in meta.tags.items()} == {"a": "1", "b": "2"}
        assert dict(meta.routing) == {"r": 0}


async def test_feedback_takes_the_request_from_the_answer() -> None:
    with seldon_server() as (service, target):
        async with AsyncClient(target) as client:
            answer = await client.predict("meta")
            assert answer.routing == {"r": 1}
            thanks = await client.feedback(None, answer, reward=0.75, truth=[1])
            assert thanks.value == "thanks"
            assert thanks.puid == answer.puid
        feedback = service.requests[1]
        assert (feedback.request.strData, feedback.response.strData, feedback.reward) == ("meta", "ok", 0.75)
        assert dict(feedback.response.meta.routing) == {"r": 1}


async def test_metadata() -> None:
    with seldon_server() as (_, target):
        async with AsyncClient(target) as client:
            assert await client.model_metadata("m") == {"name": "m", "versions": ["v1"]}
            graph = await client.graph_metadata()
            assert graph == {"name": "p", "models": {"m": {"platform": "x"}}, "graphinputs": [], "graphoutputs": []}


async def test_errors_of_the_server() -> None:
    with seldon_server() as (_, target):
        async with AsyncClient(target) as client:
            with pytest.raises(errors.Error, match="not täday") as caught:
                await client.predict("fail")
            assert caught.value.status is Status.FAILED_PRECONDITION


async def test_deadline() -> None:
    with seldon_server() as (_, target):
        async with AsyncClient(target, timeout_s=0.1) as client:
            start = time.monotonic()
            with pytest.raises(errors.DeadlineError):
                await client.predict("slow")
            assert time.monotonic() - start < 0.9
            assert (await client.predict("slow", timeout_s=10)).value == "slow"


async def test_many_at_once() -> None:
    with seldon_server() as (_, target):
        async with AsyncClient(target) as client:
            answers = await asyncio.gather(*(client.predict([[number]]) for number in range(200)))
            assert [answer.value for answer in answers] == [[[float(number)]] for number in range(200)]


async def test_unix_socket(tmp_path: Path) -> None:
    with seldon_server(f"unix:{tmp_path}/s") as (_, target):
        async with AsyncClient(target) as client:
            assert (await client.predict(b"x")).value == b"x"


async def test_nobody_there() -> None:
    sock = listener()
    target = f"127.0.0.1:{sock.getsockname()[1]}"
    sock.close()
    async with AsyncClient(target) as client:
        with pytest.raises(errors.Error, match=target) as caught:
            await client.predict("x")
        assert caught.value.status is Status.UNAVAILABLE
        assert not await client.ready(timeout_s=1)
        with pytest.raises(errors.DeadlineError, match=r"not ready after 0\.1 s"):
            await client.wait_ready(0.1)


async def test_ready_without_a_health_service() -> None:
    with seldon_server() as (_, target):
        async with AsyncClient(target) as client:
            await client.wait_ready(5)
            assert await client.ready()


async def test_closing() -> None:
    with seldon_server() as (_, target):
        client = AsyncClient(target)
        await client.predict("x")
        await client.close()
        await client.close()
        with pytest.raises(errors.RequestError, match=f"the client of {target} is closed"):
            await client.predict("x")


def test_wrong_targets() -> None:
    for target, said in (("http://h:1", "without http://"), ("localhost", "the port is missing")):
        with pytest.raises(errors.RequestError, match=said):
            AsyncClient(target)
