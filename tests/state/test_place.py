"""How places are named: `executor.state` itself."""

from pathlib import Path

import pytest

from executor import errors, state


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert state.checked("s.sqlite") == str(tmp_path / "s.sqlite")
    for where in ("memory", "redis://h:1/0", "rediss://u:p@h/1", "redis+unix:///s"):
        assert state.checked(where) == where


@pytest.mark.parametrize("where", ["", "http://x", "/tmp/", "/tmp"])
def test_what_is_no_place_is_told(where: str) -> None:
    with pytest.raises(errors.RequestError, match="allowed are a file's path, redis://HOST:PORT"):
        state.checked(where)


def test_the_default_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert state.default_place("d", "p", {"XDG_STATE_HOME": "/x"}) == "/x/millrace/d-p.sqlite"
    monkeypatch.setenv("HOME", "/home/u")
    assert state.default_place("d/e", "", {}) == "/home/u/.local/state/millrace/d_e.sqlite"
    assert state.default_place("", "", {}) == "/home/u/.local/state/millrace/graph.sqlite"


def test_passwords_are_not_told() -> None:
    assert state.told("redis://user:secret@host:1/0") == "redis://host:1/0"
    assert state.told("/a/b") == "/a/b"


def test_a_file_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(errors.StateError, match="there is no such file"):
        state.open_store(str(tmp_path / "s"), make=False)
    assert not list(tmp_path.iterdir())


def test_long_puids_are_kept_short() -> None:
    assert state.puid_key("x" * 64) == "x" * 64
    assert len(state.puid_key("x" * 65)) == 71
