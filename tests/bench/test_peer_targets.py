"""Owns the tests of `bench.peer_targets` and of the peers' programs, as far as they run without the peers."""

import ast
from pathlib import Path

import pytest

from bench import build, peer_targets, scenarios
from bench.processes import Children
from bench.stage import Stage


@pytest.mark.parametrize("name", peer_targets.CONTENDERS)
def test_a_peer_that_is_not_installed_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_BENCH_CACHE", str(tmp_path))
    with Children() as children:
        stage = Stage(scenarios.SCENARIOS["rest-compose"], children, [])
        with pytest.raises(build.Missing, match=r"`python -m bench peers \S+` does it"):
            peer_targets.CONTENDERS[name](name, stage)
        assert children.all == []


def test_each_peer_is_described_and_takes_part_somewhere() -> None:
    taking_part = {name for each in scenarios.SCENARIOS.values() for name in each.against}
    assert set(peer_targets.CONTENDERS) == set(peer_targets.ABOUT)
    assert set(peer_targets.CONTENDERS) <= taking_part


def test_what_a_peer_is_asked_is_checked_in_its_own_protocol() -> None:
    size = 1024
    assert peer_targets.INSTANCES_CHECK(size)(b'{"predictions": [[1.0]]}') != ""
    with pytest.raises(ValueError, match="unpack"):
        peer_targets.INFER_CHECK(size)(b"")


@pytest.mark.parametrize("path", sorted(peer_targets.PEERS.glob("*.py")), ids=lambda path: path.name)
def test_peers_do_not_import_the_executor(path: Path) -> None:
    found = ast.walk(ast.parse(path.read_text()))
    names = [each.module or "" for each in found if isinstance(each, ast.ImportFrom)]
    names += [
        alias.name
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.Import)
        for alias in each.names
    ]
    assert names
    assert not [name for name in names if name.startswith(("executor", "bench"))]
