"""The file of `sqlite`: processes that die at any moment, files that are none, several at once."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from executor import errors
from executor.state import Branch, Reward
from executor.state.sqlite import SqliteStore

# Adds rewards without pause and says each that is acknowledged.
WRITER = """
import itertools, sys
from executor.state import Pulls, Reward
from executor.state.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
print("open", flush=True)
for number in itertools.count():
    some = [Reward("r", "ab"[number % 2], 1.0, 2.0, f"{sys.argv[2]}-{number}-{part}") for part in range(3)]
    assert store.add(some, [Pulls("r", "a", 1)]) == [True] * 3
    print(number, flush=True)
"""
KILLS = 25


def start(path: str, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, path, name]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert pipe(started).readline() == "open\n"
    return started


def pipe(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def killed(process: "subprocess.Popen[str]", after_s: float) -> int:
    """Kills it; how many of its groups were acknowledged."""
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    said = pipe(process).read().split("\n")[:-1]  # a last line that is cut off was not heard
    process.wait()
    pipe(process).close()
    return len(said)


def test_acknowledged_rewards_survive_a_kill_at_any_moment(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    moments = random.Random(1)
    acknowledged = 0
    for run in range(KILLS):
        groups = killed(start(path, str(run)), moments.uniform(0.0, 0.08))
        acknowledged += 3 * groups
        store = SqliteStore(path)
        known = store.read("r")
        rewards = sum(each.rewards for each in known.values())
        # One group more may be committed than its process could say.
        assert acknowledged <= rewards <= acknowledged + 3
        assert rewards % 3 == 0, "a part of a group was committed"
        assert all(each.total == each.rewards and each.gain == 2.0 * each.rewards for each in known.values())
        # What was acknowledged is not counted again.
        again = [Reward("r", "a", 1.0, puid=f"{run}-{number}-{part}") for number in range(groups) for part in range(3)]
        assert not any(store.add(again))
        acknowledged = rewards
        store.close()
    assert acknowledged > 3 * KILLS
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_several_processes_write_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    writers = [start(path, name) for name in "abc"]
    heard = [pipe(each).readline() for each in writers]  # each has had its turn, however busy the machine is
    assert all(line.endswith("\n") for line in heard)
    counts = [1 + killed(each, 0.0) for each in writers]
    store = SqliteStore(path)
    rewards = sum(each.rewards for each in store.read("r").values())
    assert 3 * sum(counts) <= rewards <= 3 * (sum(counts) + len(counts))
    store.close()


def text(path: Path) -> None:
    path.write_text("not a database, but long enough to be looked at as one" * 20)


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def folder(path: Path) -> None:
    path.mkdir()


def occupied(path: Path) -> None:
    path.parent.joinpath("parent").write_text("")


@pytest.mark.parametrize(
    ("make", "name", "told"),
    [
        (text, "s", "file is not a database"),
        (newer, "s", "is of a newer millrace"),
        (folder, "s", "unable to open database file"),
        (occupied, "parent/s", "exists|Not a directory"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_path(
    tmp_path: Path, make: Callable[[Path], None], name: str, told: str
) -> None:
    make(tmp_path / "s")
    with pytest.raises(errors.StateError, match=rf"state file {tmp_path}/{name}.*({told})"):
        SqliteStore(str(tmp_path / name))


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "s"))
    strange: Reward = Reward("r", "b", object())  # type: ignore[arg-type]
    with pytest.raises(errors.StateError, match="s: "):
        store.add([Reward("r", "a", 1.0, puid="p"), strange])
    assert store.read("r") == {}
    assert store.add([Reward("r", "a", 1.0, puid="p")]) == [True]
    assert store.read("r") == {"a": Branch(0, 1, 1.0)}
    store.close()


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "s"))
    asked = [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert asked == ["wal", 2]
    store.close()
