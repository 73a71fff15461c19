"""What the options of payload logging mean."""

import argparse

from executor import payload_options
from executor.settings import PayloadLogSettings


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    payload_options.add(parser)
    return parser.parse_args(arguments)


def test_nothing_asked_is_nothing_set() -> None:
    assert payload_options.read(parsed()) is None


def test_a_default_url() -> None:
    assert payload_options.read(parsed("--payload-log-url", "http://x")) == PayloadLogSettings(default_url="http://x")
