"""Where the time of a request went, as its answer tells it: `trail` counts, `timing` words it."""

import asyncio
import re
import threading
import time
from typing import Any

import pytest
from support.collector import CLIENT, ERROR
from support.graphs import failing, node, text
from support.traced import Traced

from executor import errors
from executor._native import exits
from executor._native import message as native
from executor.types import Method, Mode

HTTP = 2


def entries(told: str) -> dict[str, dict[str, float | str]]:
    """Entries of a Server-Timing header by name."""
    found: dict[str, dict[str, float | str]] = {}
    for entry in told.split(", "):
        name, *parts = entry.split(";")
        values = dict(part.split("=") for part in parts)
        found[name] = {key: value.strip('"') if key == "desc" else float(value) for key, value in values.items()}
    return found


def sleeping(seconds: float) -> dict[Method, tuple[Mode, Any]]:
    def handle(message: native.Message, context: exits.Context) -> native.Message:
        time.sleep(seconds)
        return message

    return dict.fromkeys(Method, (Mode.BLOCKING, handle))


async def test_times_are_told_where_they_are_asked_for(made: list[Traced]) -> None:
    graph = node("t", "transformer", node("c", "combiner", node("slow"), node("fast")))
    made.append(Traced(graph, replaced={"slow": sleeping(0.05), "fast": sleeping(0.001)}, ratio=0))
    await made[0].run()
    assert made[0].times == []
    await made[0].run([("millrace-timing", "1")])
    found = entries(made[0].times[0])
    assert list(found) == ["millrace", "t", "c", "slow", "fast"]
    whole = found["millrace"]
    assert whole["desc"] == "t c slow"
    for each in ("t", "c", "slow", "fast"):
        told = found[each]
        assert told["queue"] + told["network"] + told["compute"] == pytest.approx(told["dur"], abs=0.01)  # type: ignore[operator]
        assert told["network"] == 0
    assert found["slow"]["compute"] >= 50  # type: ignore[operator]
    assert whole["dur"] >= found["slow"]["dur"] > found["fast"]["dur"]  # type: ignore[operator]
    assert made[0].tracer.sampled == 0


async def test_a_call_that_waited_and_then_ran_out_of_time_tells_that_it_waited(made: list[Traced]) -> None:
    running, gate = threading.Semaphore(0), threading.Event()

    def handle(message: native.Message, context: exits.Context) -> native.Message:
        running.release()
        gate.wait(10)
        return message

    made.append(Traced(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.BLOCKING, handle))}))
    first = [made[0].start() for _ in range(4)]  # as many as there are threads
    for _ in first:
        await asyncio.to_thread(running.acquire)
    late = made[0].start([("millrace-timing", "1")], deadline=time.monotonic() + 0.5)
    await asyncio.sleep(0.05)
    gate.set()
    gate = threading.Event()
    await asyncio.to_thread(running.acquire)
    with pytest.raises(errors.DeadlineError):
        await late.future
    gate.set()
    await asyncio.gather(*(each.future for each in first))
    told = entries(made[0].times[0])["m"]
    assert told["queue"] >= 50  # type: ignore[operator]
    assert told["queue"] + told["compute"] == pytest.approx(told["dur"], abs=0.01)  # type: ignore[operator]
    (call,) = [each for each in made[0].spans() if each.kind == CLIENT and each.status == ERROR]
    assert call.attributes["millrace.queue.seconds"] >= 0.05


async def test_times_of_a_failure_lead_to_the_node_that_failed(made: list[Traced]) -> None:
    graph = node("c", "combiner", node("good"), node("bad"))
    made.append(Traced(graph, replaced={"good": sleeping(0.0), "bad": failing()}))
    with pytest.raises(errors.Error):
        await made[0].run([("millrace-timing", "true")])
    assert entries(made[0].times[0])["millrace"]["desc"] == "c bad"


@pytest.mark.parametrize("value", ["0", "", "no", "11"])
async def test_other_values_ask_for_nothing(made: list[Traced], value: str) -> None:
    made.append(Traced(node("m")))
    await made[0].run([("millrace-timing", value)])
    assert made[0].times == []


async def test_names_become_tokens_and_many_nodes_fit(made: list[Traced]) -> None:
    graph = node("c", "combiner", *(node(f'n "{number}", é;=') for number in range(200)))
    made.append(Traced(graph))
    await made[0].run([("millrace-timing", "1")])
    told = made[0].times[0]
    assert len(told) <= 4096
    assert re.fullmatch(r'millrace;dur=[\d.]+;queue=[\d.]+;desc="[\w.\- ]+"(, [\w.\-]+(;\w+=[\d.]+)+)+', told)
    assert len(entries(told)) > 20


async def test_a_long_path_leaves_room_for_the_nodes_on_it(made: list[Traced]) -> None:
    graph = node(f"{'n' * 125}{99}")
    for number in reversed(range(40)):
        graph = node(f"{'n' * 125}{number:02}", "model", graph)
    made.append(Traced(graph))
    await made[0].run([("millrace-timing", "1")])
    told = made[0].times[0]
    assert len(told) <= 4096
    found = entries(told)
    path = str(found.pop("millrace")["desc"]).split(" ")
    assert path == [f"{'n' * 125}{number:02}" for number in range(len(path))]
    assert min(len(path), len(found)) >= 8


async def test_what_a_node_says_of_itself_is_told_apart(made: list[Traced]) -> None:
    class Call:
        waited, retries, status, timing = 0.0, 0, 200, "millrace;dur=5.000;queue=2.000"

        def cancel(self) -> None:
            """Nothing goes on."""

    def handle(message: native.Message, context: exits.Context, pending: exits.Pending) -> Call:
        assert dict(context.headers)["millrace-timing"] == "1"
        asyncio.get_running_loop().call_later(0.03, pending.answer, message)
        return Call()

    made.append(Traced(node("m"), replaced={"m": dict.fromkeys(Method, (Mode.CALLBACK, handle))}, kinds=HTTP))
    assert text(await made[0].run([("millrace-timing", "1")])) == "x"
    told = entries(made[0].times[0])["m"]
    assert (told["queue"], told["compute"]) == (2.0, 3.0)
    assert told["network"] == pytest.approx(float(told["dur"]) - 5.0, abs=0.01)
    (call,) = [each for each in made[0].spans() if each.kind == CLIENT]
    assert call.attributes["http.response.status_code"] == 200
    for timing in (None, "db;dur=3", "millrace;dur=x"):
        Call.timing = timing  # type: ignore[assignment]
        await made[0].run([("millrace-timing", "1")])
        assert set(entries(made[0].times[-1])["m"]) == {"dur", "queue"}
