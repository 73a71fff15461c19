"""Owns the tests of `bench.build`: names in the cache, and what is said of what is missing."""

from pathlib import Path

import pytest

from bench import build


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("MILLRACE_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cache_is_made_where_it_is_wanted(cache: Path) -> None:
    assert build.cache() == cache
    assert cache.is_dir()


def test_a_name_changes_with_its_sources(tmp_path: Path) -> None:
    source = tmp_path / "x.c"
    source.write_text("1")
    before = build.digest([source, "flags"])
    assert build.digest([source, "flags"]) == before
    source.write_text("2")
    assert build.digest([source, "flags"]) != before


def test_a_missing_tool_says_how_to_get_it() -> None:
    with pytest.raises(build.Missing, match=r"no-such-tool is not installed: apt-get install it"):
        build.tool("no-such-tool", "apt-get install it")


def test_the_relay_is_built_once(cache: Path) -> None:
    program = build.relay()
    made = program.stat().st_mtime_ns
    assert program.parent == cache
    assert build.relay().stat().st_mtime_ns == made


@pytest.mark.parametrize("name", build.PEERS)
def test_a_peer_is_only_there_when_it_was_asked_for(name: str, cache: Path) -> None:
    with pytest.raises(build.Missing, match=f"python -m bench peers {name}"):
        build.peer(name)
    (build.peer_folder(name)).mkdir()
    (build.peer_folder(name) / "done").touch()
    build.install_peer(name)  # nothing left to do
    assert build.peer(name) == build.peer_folder(name) / "bin"
