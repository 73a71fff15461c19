"""What the options of watching a process mean."""

import argparse

import pytest

from executor import errors, watch_options
from executor.watching import Watch


def read(*arguments: str, page: bool = True) -> Watch:
    parser = argparse.ArgumentParser()
    watch_options.add(parser, page)
    return watch_options.read(parser.parse_args(arguments))


def test_defaults() -> None:
    assert read() == Watch()
    assert read(page=False) == Watch(page=False)


@pytest.mark.parametrize("by_itself", [True, False])
def test_the_page_can_be_asked_for_and_refused(by_itself: bool) -> None:
    assert read("--page", page=by_itself).page
    assert not read("--no-page", page=by_itself).page


def test_an_admin_port_has_the_page_unless_that_is_refused() -> None:
    assert read("--admin-port", "0", page=False) == Watch(page=True, admin_port=0)
    assert read("--admin-port", "9", "--no-page", page=False) == Watch(page=False, admin_port=9)
    assert read("--admin-port", "9", "--admin-host", "::1") == Watch(admin_host="::1", admin_port=9)


def test_an_admin_host_alone_is_refused() -> None:
    with pytest.raises(errors.RequestError, match="--admin-host: needs --admin-port as well"):
        read("--admin-host", "0.0.0.0")


def test_the_log() -> None:
    assert read("--log-format", "json", "--access-log") == Watch("json", True)


@pytest.mark.parametrize("arguments", [("--log-format", "xml"), ("--admin-port", "70000"), ("--admin-port", "x")])
def test_what_is_not_allowed_is_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(*arguments)
    told = capsys.readouterr().err
    assert arguments[1] in told
    assert "choose from" in told or "number from 0" in told
