"""What commands share: how values are read, and what is said of wrong ones."""

import argparse

import pytest

from executor import options
from executor.settings import ServeLimits


def parser(*arguments: str) -> argparse.Namespace:
    made = options.Parser("test", exit_on_error=False)
    options.add_choice(made)
    options.add_serving(made, 5.0, (None, None))
    return made.parse_args(["g.yaml", *arguments])


def test_defaults() -> None:
    read = parser()
    assert (read.host, read.default_timeout, read.max_message_bytes, read.threads) == ("127.0.0.1", 5.0, None, None)
    assert (read.component, read.endpoint, read.log_level) == ({}, {}, "info")
    assert options.limits(read) == ServeLimits()
    assert options.limits(parser("--max-message-bytes", "7")).max_message_bytes == 7
    assert options.limits(parser("--max-message-bytes", "1GiB")).max_message_bytes == 1 << 30


def test_named_values_gather() -> None:
    assert parser("--endpoint", "a=x", "--endpoint", "b=y=z").endpoint == {"a": "x", "b": "y=z"}


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (options.port, "-1", "port '-1' is not a number from 0"),
        (options.port, "65536", "port '65536'"),
        (options.port, "\u0661", "port"),
        (options.positive, "0", "'0' is not a whole number above 0"),
        (options.seconds, "soon", "timeout 'soon': allowed is a positive number"),
    ],
)
def test_wrong_values(read: type, text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        read(text)


def test_a_port_of_the_environment() -> None:
    assert options.port_from({"P": "7"}, "P", None, 9) == 7
    assert options.port_from({"P": "7"}, "P", 8, 9) == 8
    assert options.port_from({"P": ""}, "P", None, 9) == 9
    with pytest.raises(options.UsageError, match="P: port 'x' is not a number"):
        options.port_from({"P": "x"}, "P", None, 9)


def test_arguments_may_be_spelled_anew() -> None:
    made = options.Parser("test")
    made.add_argument("--one")
    made.spelled = lambda text: text.replace("uno", "one")
    assert made.parse_args(["--uno", "1"]).one == "1"
    with pytest.raises(SystemExit) as stop:
        made.parse_args(["--two"])
    assert stop.value.code == options.USAGE_STATUS
