"""Errors and metadata on their way between a node and whoever asked."""

import pytest
from support.graphs import Bench, answer, node

from executor import errors
from executor._native import endpoint, exits, front, seldon
from executor._native import message as native
from executor.status import Status
from executor.types import Encoding, Method, Mode, Walk


def raising(error: BaseException) -> Bench:
    def handle(message: native.Message, context: exits.Context) -> native.Message:
        raise error

    return Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.QUICK, handle)}})


async def caught(bench: Bench) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011 whatever it is
        await bench.predict("x")
    bench.close()
    return info.value


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
async def test_errors_of_this_process_arrive_as_they_are(status: Status) -> None:
    error = errors.ComponentError("no", status=status, node="m", details=b"d", body=b"{}")
    assert await caught(raising(error)) is error


async def test_exceptions_of_user_code_arrive_as_they_are() -> None:
    error = ZeroDivisionError("oh")
    assert await caught(raising(error)) is error


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([], []),
        ([("A", "1"), ("a", "2")], [("a", "1"), ("a", "2")]),
        ([("k", "")], [("k", "")]),
        ([("k", " v\t")], [("k", "v")]),
        ([("k", "é\xa0")], [("k", "é\xa0")]),
        ([(f"k{i}", "v" * i) for i in range(112)], [(f"k{i}", "v" * i) for i in range(112)]),
    ],
)
async def test_metadata_reaches_the_component(headers: list[tuple[str, str]], kept: list[tuple[str, str]]) -> None:
    seen: list[tuple[str, str]] = []

    def look(message: native.Message, context: exits.Context) -> native.Message:
        seen.extend(context.headers)
        return answer("ok", message)

    bench = Bench(node("m"), replaced={"m": {Method.PREDICT: (Mode.QUICK, look)}})
    message = seldon.build("strData", "x")
    await front.submit(bench.engine, bench.program, Walk.PREDICT, Method.PREDICT, message, headers, "p").future
    assert seen == kept
    bench.close()


async def test_plain_endpoint_takes_any_encoding() -> None:
    assert endpoint.Endpoint().encoding == Encoding.ANY
