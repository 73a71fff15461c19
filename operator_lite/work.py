"""Owns which resources wait for a look, and since when: one queue of keys. Must not know what a look is.

A key waits once, however often it is added; it is with one worker at a time, and one that is added meanwhile waits for
that worker to be done. A key that failed comes again later, each time after longer; if it is added before, it comes
at once. So one that always fails takes no more than its turn.
"""

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from operator_lite.backoff import Backoff

Key = tuple[str, str]
"""Namespace and name."""


class Queue:
    """The keys that wait. All methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, backoff: Callable[[], Backoff] = Backoff) -> None:
        self._clock = clock
        self._backoff = backoff
        self._changed = threading.Condition()
        self._ready: OrderedDict[Key, None] = OrderedDict()
        self._held: set[Key] = set()
        self._again: set[Key] = set()
        self._due: dict[Key, float] = {}
        self._later: list[tuple[float, Key]] = []
        self._failed: dict[Key, Backoff] = {}
        self._stopped = False

    def __len__(self) -> int:
        """How many wait now, or will be looked at again by themselves."""
        with self._changed:
            return len(self._ready) + len(self._due)

    @property
    def failing(self) -> int:
        """How many failed the last time."""
        return len(self._failed)

    def add(self, key: Key, after: float = 0.0) -> None:
        """A look is wanted, now or later."""
        with self._changed:
            if after > 0:
                self._postpone(key, self._clock() + after)
            elif key in self._held:
                self._again.add(key)
            else:
                self._due.pop(key, None)
                self._ready[key] = None
            self._changed.notify()

    def take(self, wait: bool = True) -> Key | None:
        """The key that has waited longest; it is held until `done`. None when stopped, or not to wait."""
        with self._changed:
            while not self._stopped:
                self._wake()
                if self._ready:
                    key, _ = self._ready.popitem(last=False)
                    self._held.add(key)
                    return key
                if not wait:
                    return None
                self._changed.wait(self._later[0][0] - self._clock() if self._later else None)
            return None

    def done(self, key: Key, after: float | None = None, failed: bool = False) -> None:
        """The look is over; the next is wanted after some seconds, or after a while because this one failed."""
        with self._changed:
            self._held.discard(key)
            if failed:
                pause = self._failed.setdefault(key, self._backoff()).next()
                after = pause if after is None else min(after, pause)
            else:
                self._failed.pop(key, None)
            if key in self._again:
                self._again.discard(key)
                self._due.pop(key, None)
                self._ready[key] = None
            elif after is not None:
                self._postpone(key, self._clock() + after)
            self._changed.notify()

    def stop(self) -> None:
        """Nothing more is handed out."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _postpone(self, key: Key, due: float) -> None:
        if key not in self._ready and due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._later, (due, key))

    def _wake(self) -> None:
        """Moves on what is due. An entry whose time is not the one that counts was overtaken by another."""
        while self._later and self._later[0][0] <= self._clock():
            due, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                if key in self._held:
                    self._again.add(key)
                else:
                    self._ready[key] = None
