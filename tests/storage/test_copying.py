"""Copying the files of a source: what is tried again, what is not, what is told."""

import errno
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.errors import FetchError, RequestError
from executor.storage import copying
from executor.storage.sources import Entry, Moved


class Faulty:
    """A source whose files fail as told before they come."""

    single = False

    def __init__(self, *failures: Exception, content: bytes = b"12345") -> None:
        self._failures = list(failures)
        self._content = content
        self.asked = 0

    def entries(self) -> list[Entry]:
        return [Entry("a/b", "", len(self._content), "")]

    def copy(self, entry: Entry, target: Path, moved: Moved) -> None:
        self.asked += 1
        with target.open("xb") as file:
            file.write(self._content[:3])
            moved(3)
            if self._failures:
                raise self._failures.pop(0)
            file.write(self._content[3:])
            moved(len(self._content) - 3)


class WithStatus(Exception):
    """As libraries for HTTP raise it."""

    def __init__(self, status: int) -> None:
        super().__init__("https://host/model?token=secret")
        self.status = status
        self.message = "Said"


def copied(source: Faulty, folder: Path, entries: list[Entry] | None = None) -> None:
    copying.copy_all(source, entries or source.entries(), folder, "u", backoff_s=0.001)


@pytest.mark.parametrize("failure", [ConnectionError("gone"), TimeoutError(), WithStatus(503), WithStatus(429)])
def test_what_the_network_may_have_done_is_tried_again(
    tmp_path: Path, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source = Faulty(failure, failure)
    with caplog.at_level(logging.WARNING):
        copied(source, tmp_path)
    assert (tmp_path / "a" / "b").read_bytes() == b"12345"
    assert source.asked == 3
    assert "trying again in" in caplog.text


def test_not_for_ever(tmp_path: Path) -> None:
    source = Faulty(*[ConnectionError("gone")] * 9)
    with pytest.raises(FetchError, match=r"u: a/b: ConnectionError: gone \(4 tries\)"):
        copied(source, tmp_path)
    assert source.asked == copying.TRIES


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (FileNotFoundError("x"), "there is no such file"),
        (PermissionError("not yours"), "PermissionError: not yours"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (WithStatus(404), "HTTP 404 Said"),
        (WithStatus(403), "HTTP 403 Said"),
    ],
)
def test_what_cannot_get_better_is_not(tmp_path: Path, failure: Exception, said: str) -> None:
    source = Faulty(failure)
    with pytest.raises(FetchError, match=said) as raised:
        copied(source, tmp_path)
    assert source.asked == 1
    assert "secret" not in str(raised.value)


def test_errors_of_ours_pass() -> None:
    def fails() -> None:
        raise RequestError("as it is")

    with pytest.raises(RequestError, match=r"^as it is$"):
        copying.tried(fails, "u")


def test_what_is_behind_a_url_that_was_not_found() -> None:
    try:
        try:
            raise ConnectionError("refused")
        except ConnectionError as cause:
            raise FileNotFoundError("http://h") from cause
    except FileNotFoundError as error:
        assert isinstance(copying.reason(error), ConnectionError)
    assert isinstance(copying.reason(FileNotFoundError()), FileNotFoundError)


def test_a_file_of_another_size_is_tried_again_and_refused(tmp_path: Path) -> None:
    source = Faulty()
    with pytest.raises(FetchError, match="5 bytes came, not 6"):
        copied(source, tmp_path, [Entry("a", "", 6, "")])
    assert source.asked == copying.TRIES
    copied(source, tmp_path, [Entry("b", "", None, "")])
    assert (tmp_path / "b").stat().st_size == 5


def test_room_is_looked_for_first(tmp_path: Path) -> None:
    source = Faulty()
    with pytest.raises(FetchError, match=r"u: 1099511627776.0 MiB are needed, and .* has room for"):
        copied(source, tmp_path, [Entry("a", "", 1 << 60, "")])
    assert source.asked == 0


def test_progress_is_told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "PROGRESS_S", 0.0)
    entries = [Entry("a", "", 1 << 20, ""), Entry("b", "", 1 << 20, "")]
    with caplog.at_level(logging.INFO):
        progress = copying.Progress("u", entries)
        steps: list[Callable[[], None]] = [progress.again, lambda: progress.moved(1 << 20), progress.ended]
        for step in (*steps, *steps[:2]):
            step()
        unknown = copying.Progress("v", [Entry("a", "", None, "")])
        unknown.moved(1 << 19)
    assert "u: 1.0 MiB of 2.0 MiB, 0 of 2 files" in caplog.text
    assert "u: 2.0 MiB of 2.0 MiB, 1 of 2 files" in caplog.text
    assert "v: 0.5 MiB, 0 of 1 files" in caplog.text
