"""Owns the place in a file that processes of one machine share: SQLite with a write-ahead log.

Must not be on a network file system: SQLite's locks do not hold there.

A commit is on the disk before it returns (`synchronous=FULL`), so what was acknowledged survives the death of the
process at any moment, and of the machine as far as its disk keeps its word.
"""

import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any

from executor import errors
from executor.state import WINDOW, Branch, Pulls, Reward, puid_key

BUSY_S = 10.0
"""How long others may hold the file."""
VERSION = 1
"""Of the tables, as `user_version`."""
RETRY_S = 0.001
"""How often one who waits tries again: SQLite's own way of waiting sleeps longer and longer, and then starves."""
PAUSE_S = 0.002
"""What a process leaves to those who wait, between two commits."""

_TABLES = """
CREATE TABLE IF NOT EXISTS branches (
    router TEXT, branch TEXT, pulls INTEGER NOT NULL DEFAULT 0, rewards INTEGER NOT NULL DEFAULT 0,
    total REAL NOT NULL DEFAULT 0, gain REAL NOT NULL DEFAULT 0, PRIMARY KEY (router, branch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (router TEXT, puid TEXT, number INTEGER, PRIMARY KEY (router, puid)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS seen_number ON seen (router, number);
"""
_PULL = """
INSERT INTO branches (router, branch, pulls) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET pulls = pulls + excluded.pulls
"""
_REWARD = """
INSERT INTO branches (router, branch, rewards, total, gain) VALUES (?, ?, 1, ?, ?)
ON CONFLICT DO UPDATE SET rewards = rewards + 1, total = total + excluded.total, gain = gain + excluded.gain
"""


class SqliteStore:
    """The file at `path`; its folder is made where it is not there."""

    def __init__(self, path: str, window: int = WINDOW) -> None:
        self._path = path
        self._window = window
        self._version = -1
        self._committed = 0.0
        with self._told():
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def add(self, rewards: Sequence[Reward], pulls: Sequence[Pulls] = ()) -> list[bool]:
        """As `Store.add`: one transaction, one write to the disk."""
        if not rewards and not pulls:
            return []
        with self._told():
            time.sleep(max(0.0, self._committed + PAUSE_S - time.monotonic()))
            self._fetch("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_PULL, [(each.router, each.branch, each.count) for each in pulls])
                last: dict[str, int] = {}
                counted = [self._reward(each, last) for each in rewards]
                for router, number in last.items():
                    before = (router, number - self._window)
                    self._connection.execute("DELETE FROM seen WHERE router = ? AND number <= ?", before)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._committed = time.monotonic()
            return counted

    def read(self, router: str) -> dict[str, Branch]:
        """As `Store.read`."""
        query = "SELECT branch, pulls, rewards, total, gain FROM branches WHERE router = ?"
        with self._told():
            return {name: Branch(*sums) for name, *sums in self._fetch(query, router)}

    def changed(self) -> bool:
        """As `Store.changed`."""
        with self._told():
            before, ((self._version,),) = self._version, self._fetch("PRAGMA data_version")
        return before != self._version

    def routers(self) -> list[str]:
        """As `Store.routers`."""
        with self._told():
            return [name for (name,) in self._fetch("SELECT DISTINCT router FROM branches ORDER BY router")]

    def close(self) -> None:
        """As `Store.close`."""
        with self._told():
            self._connection.close()

    def _reward(self, each: Reward, last: dict[str, int]) -> bool:
        """Counts one reward, unless its puid came before; `last` are the numbers of routers' last puids."""
        if each.puid:
            if each.router not in last:
                query = "SELECT coalesce(max(number), 0) FROM seen WHERE router = ?"
                (last[each.router],) = self._connection.execute(query, (each.router,)).fetchone()
            row = (each.router, puid_key(each.puid), last[each.router] + 1)
            if self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", row).rowcount == 0:
                return False
            last[each.router] += 1
        self._connection.execute(_REWARD, (each.router, each.branch, each.reward, each.gain))
        return True

    def _prepare(self) -> None:
        """Makes the tables, unless they are there."""
        ((found,),) = self._fetch("PRAGMA user_version")
        if found > VERSION:
            raise errors.StateError(f"state file {self._path} is of a newer millrace (version {found})")
        self._fetch("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if found < VERSION:
            self._fetch("BEGIN IMMEDIATE")
            for statement in (*_TABLES.split(";"), f"PRAGMA user_version = {VERSION}", "COMMIT"):
                self._connection.execute(statement)

    def _fetch(self, statement: str, *given: str) -> list[tuple[Any, ...]]:
        """What a statement finds. Tries again while others hold the file, for BUSY_S at most."""
        due = time.monotonic() + BUSY_S
        while True:
            try:
                return self._connection.execute(statement, given).fetchall()
            except sqlite3.OperationalError as cause:
                if "locked" not in str(cause) or time.monotonic() > due:
                    raise
                time.sleep(random.uniform(0.5, 1.5) * RETRY_S)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as cause:
            raise errors.StateError(f"state file {self._path}: {cause}") from cause
