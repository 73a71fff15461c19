"""Owns the tests of `bench.crosscheck` and `bench.syscalls`: what other tools are asked and what they say."""

import pytest

from bench import crosscheck, syscalls
from bench.generator import Order

SAID = """
finished in 1.02s, 9876.54 req/s, 1.20MB/s
requests: 1000 total, 1000 started, 1000 done, 997 succeeded, 2 failed, 1 errored, 0 timeout
"""


def test_h2load_is_understood() -> None:
    assert crosscheck.parse(SAID) == {"requests_per_s": 9876.54, "errors": 3}
    assert crosscheck.parse("") == {"requests_per_s": None, "errors": None}


def test_h2load_is_asked_for_the_same_shape() -> None:
    order = Order("x", "grpc", "127.0.0.1", 77, "/s/M", b"", connections=8, streams=16)
    text = " ".join(crosscheck.command(order, 500, "body"))
    for part in ("-n 500", "-c 8", "-m 16", "-d body", "http://127.0.0.1:77/s/M"):
        assert part in text


@pytest.mark.parametrize(
    ("text", "count"),
    [("1234,,raw_syscalls:sys_enter,55,100.00,,\n", 1234), ("<not supported>,,raw_syscalls:sys_enter", None)],
)
def test_perf_is_understood(text: str, count: int | None) -> None:
    assert syscalls.parse(text) == count
