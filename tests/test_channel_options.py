"""What the options on connections to nodes mean, and that workers get them."""

import argparse

import pytest

from executor import channel_options
from executor.settings import ChannelSettings, RunSettings


def read(*arguments: str) -> ChannelSettings:
    parser = argparse.ArgumentParser(exit_on_error=False)
    channel_options.add(parser)
    return channel_options.read(parser.parse_args(arguments))


def test_nothing_asked_is_the_default() -> None:
    assert read() == ChannelSettings()
    assert (read().connections, read().max_age_s, read().keepalive_s) == (4, 300.0, None)


def test_options_reach_workers() -> None:
    given = read("--node-connections", "2", "--node-max-age", "90s", "--node-resolve-every", "500ms",
                 "--node-calls-max", "7", "--node-keepalive", "1m")  # fmt: skip
    assert given == ChannelSettings(2, 90.0, 0.5, 7, keepalive_s=60.0)
    assert RunSettings.from_json(RunSettings("g.yaml", channels=given).to_json()).channels == given


def test_off() -> None:
    given = read("--node-max-age", "off", "--node-keepalive", "off")
    assert (given.max_age_s, given.keepalive_s) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--node-connections", "0"), "'0' is not a whole number above 0"),
        (("--node-calls-max", "many"), "'many' is not a whole number above 0"),
        (("--node-resolve-every", "off"), "time 'off': allowed is"),
        (("--node-max-age", "-1s"), "expected one argument"),
        (("--node-keepalive", "0s"), "time '0s': allowed is"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=said):
        read(*arguments)
