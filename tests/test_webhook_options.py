"""Tests `webhook_options`: what they say, and what is no port."""

import pytest

from executor import options, webhook_options


def parsed(*arguments: str) -> object:
    parser = options.Parser("millrace operator")
    webhook_options.add(parser)
    return webhook_options.read(parser.parse_args(arguments))


@pytest.mark.parametrize("arguments", [(), ("--webhook-port", "0"), ("--webhook-service", "s")])
def test_without_a_port_there_is_none(arguments: tuple[str, ...]) -> None:
    assert parsed(*arguments) is None


def test_what_they_say() -> None:
    assert parsed("--webhook-port=4443") == {
        "host": "0.0.0.0",
        "port": 4443,
        "service": "millrace-webhook",
        "secret": "millrace-webhook-tls",
        "configuration": "millrace-webhook",
    }
    words = ("--webhook-port=1", "--webhook-service=s", "--webhook-secret=t", "--webhook-configuration=c")
    assert parsed(*words) == {"host": "0.0.0.0", "port": 1, "service": "s", "secret": "t", "configuration": "c"}


@pytest.mark.parametrize(
    ("text", "host"), [("127.0.0.1:4443", "127.0.0.1"), ("[::1]:4443", "::1"), (":4443", "0.0.0.0")]
)
def test_an_address_may_be_named(text: str, host: str) -> None:
    found = parsed(f"--webhook-port={text}")
    assert isinstance(found, dict)
    assert (found["host"], found["port"]) == (host, 4443)


@pytest.mark.parametrize("port", ["https", "-1", "65536", ""])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"--webhook-port={port}")
    assert f"port {port!r} is not a number from 0" in capsys.readouterr().err
