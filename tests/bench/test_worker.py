"""Owns the tests of `bench.worker`: orders there and back, and a process that ends."""

import io
import json
from typing import Any

import pytest

from bench import worker
from bench.machine import cores
from bench.processes import BenchError


def test_an_order_is_a_line_and_so_is_its_answer() -> None:
    def carry_out(order: dict[str, Any]) -> int:
        return int(order["number"]) + 1

    orders = b"".join(json.dumps(each).encode() + b"\n" for each in (
        {"do": "add", "name": "a", "number": 1},
        {"do": "add", "name": "b", "number": "x"},
        {"do": "add", "name": "c", "number": 2},
    ))  # fmt: skip
    answers = io.BytesIO()
    worker.serve(io.BytesIO(orders), answers, carry_out)
    first, wrong, last = map(json.loads, answers.getvalue().splitlines())
    assert (first, last) == ({"ok": 2}, {"ok": 3})
    assert wrong["error"].startswith("add b: ")


def test_a_process_that_ended_is_told() -> None:
    with worker.Worker("keyword", cores()[1]) as ended, pytest.raises(BenchError, match="keyword ended with status 0"):
        ended.ask({})


def test_leaving_ends_the_process() -> None:
    with worker.Worker("bench.generator", cores()[1]) as working:
        with pytest.raises(BenchError, match="run nobody"):
            working.ask({"do": "run", "name": "nobody", "run": {}, "server": [], "nodes": []})
    with pytest.raises((BenchError, ValueError)):
        working.ask({})
