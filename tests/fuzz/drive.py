"""Owns what every fuzzer here shares: cases, the corpus, the loop, and the files in which failures are kept.

Must not know what any case means: that is for the fuzzers, one module each.

A case is bytes, and a word for what they are meant to be. All else about a try is derived from the case itself, so
that a kept case fails again wherever the code is still wrong, whatever has become of the one who made it.
"""

import hashlib
import itertools
import math
import mmap
import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from executor._native import buffer

CORPUS = Path(__file__).with_name("corpus")
KEPT = Path(__file__).resolve().parents[2] / "build" / "fuzz"
"""Where cases are kept that failed."""


class Case(NamedTuple):
    """One input."""

    kind: str
    """What the bytes are meant to be, such as "feedback"; the suffix of its file."""
    data: bytes


Try = Callable[[random.Random, Case], bool]
"""Does with a case whatever can be done. Whether it was accepted; raises when the contract is broken."""


def stored(path: Path) -> Case:
    """The case in a file."""
    return Case(path.suffix.removeprefix("."), path.read_bytes())


def keep(name: str, case: Case) -> Path:
    """Writes a case that failed into a file of its own."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}-{hashlib.sha256(case.data).hexdigest()[:12]}.{case.kind}"
    path.write_bytes(case.data)
    return path


def advice(path: Path) -> str:
    """How to try a kept case again."""
    return f"try it again with: make fuzz ARGS='--replay {os.path.relpath(path)}'"


class Notebook:
    """The case under way, where it outlives the process; a native crash leaves no other trace."""

    SIZE = 16 << 20

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(self.SIZE)  # sparse: only what was written takes room
            self._map = mmap.mmap(file.fileno(), self.SIZE)

    def write(self, case: Case) -> None:
        """Notes a case; the length comes last, so that what it counts is whole."""
        note = case.kind.encode() + b"\n" + case.data
        self._map[8 : 8 + len(note)] = note
        self._map[:8] = len(note).to_bytes(8, "little")

    @staticmethod
    def read(path: Path) -> Case | None:
        """What was noted last."""
        with path.open("rb") as file:
            note = file.read(int.from_bytes(file.read(8), "little"))
        kind, _, data = note.partition(b"\n")
        return Case(kind.decode(), data) if note else None


@dataclass(frozen=True)
class Fuzzer:
    """One target."""

    name: str
    make: Callable[[random.Random, Sequence[Case]], Case]
    """A new case; those of the corpus are there to start from."""
    open: Callable[[], AbstractContextManager[Try]]
    """What has to stand while cases are tried."""

    @classmethod
    def simple(cls, name: str, make: Callable[[random.Random, Sequence[Case]], Case], one: Try) -> "Fuzzer":
        """A target that needs nothing to stand."""
        return cls(name, make, lambda: nullcontext(one))

    def corpus(self) -> list[Case]:
        """The cases to start from, made by `collect.py`."""
        found = [stored(path) for path in sorted((CORPUS / self.name).iterdir())]
        assert found, f"{CORPUS / self.name} is empty; make it again with tests/fuzz/collect.py"
        return found

    def run(
        self,
        seed: int,
        rounds: float = math.inf,
        seconds: float = math.inf,
        note: Callable[[Case], object] = lambda case: None,
    ) -> tuple[int, int]:
        """Tries the corpus, then new cases, for so many rounds or seconds; `note` is told each case beforehand.

        How many there were, and how many were accepted. The same seed makes the same cases.
        """
        seeds = self.corpus()
        end = time.monotonic() + seconds
        accepted = 0
        with self.open() as one:
            for number in itertools.count():
                if number >= rounds or time.monotonic() > end:
                    return number, accepted
                rng = random.Random(f"{seed}/{number}")
                case = seeds[number] if number < len(seeds) else self.make(rng, seeds)
                note(case)
                accepted += self._attempt(one, case, f"seed {seed}, case {number}")
        raise AssertionError("unreachable: the loop ends by returning")

    def replay(self, case: Case, note: Callable[[Case], object] = lambda case: None) -> bool:
        """Tries one case again. Whether it was accepted."""
        note(case)
        with self.open() as one:
            return self._attempt(one, case, "replayed")

    def _attempt(self, one: Try, case: Case, where: str) -> bool:
        before = buffer.live_buffers()
        try:
            accepted = one(random.Random(case.data), case)
            assert buffer.live_buffers() == before, "buffers were left behind"
        except Exception as error:
            error.add_note(f"{self.name}: {where}; {advice(keep(self.name, case))}")
            raise
        return accepted
