"""Owns what an engine counts of the requests that were refused, for tests to look at.

Must not refuse anything.
"""

from executor import counting
from executor._native import flow
from executor.telemetry.families import REASONS, REJECTED
from executor.telemetry.store import Store


class Refusals:
    """What an engine refuses from now on, by reason."""

    def __init__(self, engine: flow.Engine) -> None:
        self._store = Store()
        engine.count(counting.engine_meter(self._store))

    def __call__(self) -> dict[str, float]:
        """Those that are not 0."""
        cells = {reason: self._store.cell(REJECTED, reason) for reason in REASONS}
        return {reason: cell.value for reason, cell in cells.items() if cell is not None and cell.value}
