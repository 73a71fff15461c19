"""Owns the configuration as it is now: it is read again every few seconds, and who uses it is told of a change.

Must not know what is in it, nor end anything because it is wrong: what was right before stays in force then.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from executor.errors import ManifestError
from operator_lite.api import ApiError
from operator_lite.config import Config

log = logging.getLogger(__name__)

LOOK_S = 10.0


class Live:
    """The configuration. `read` is asked for it, at first right here: what it raises then is the caller's to tell."""

    def __init__(self, read: Callable[[], Config], look_s: float = LOOK_S) -> None:
        self.config = read()
        self.refused = ""
        """What is wrong with what is written now; empty if it is in force."""
        self._read = read
        self._look_s = look_s
        self._stop = threading.Event()

    @contextmanager
    def followed(self, use: Callable[[Config], None]) -> Iterator[None]:
        """Tells of changes while the block runs."""
        thread = threading.Thread(target=self._run, args=(use,), name="configuration", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def look(self) -> bool:
        """Reads it again; whether it has changed."""
        try:
            found = self._read()
        except ManifestError as error:
            said = "; ".join(f"{each.path}: {each.message}" for each in error.problems)
            if said != self.refused:
                log.error("the configuration is wrong, and stays what it was: %s", said)
            self.refused = said
            return False
        except ApiError as error:
            log.warning("the configuration cannot be read, and stays what it was: %s", error.message)
            return False
        self.refused = ""
        # Who is led by which Lease, and whose resources these are, is settled at the start.
        found = replace(found, controller_id=self.config.controller_id)
        changed, self.config = found != self.config, found
        return changed

    def _run(self, use: Callable[[Config], None]) -> None:
        while not self._stop.wait(self._look_s):
            if self.look():
                log.info("the configuration has changed: all resources are looked at")
                use(self.config)
