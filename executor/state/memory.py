"""Owns the place that is forgotten with its process. Must not be shared between processes."""

from collections.abc import Sequence

from executor.state import WINDOW, Branch, Pulls, Reward, puid_key


class MemoryStore:
    """Sums in dictionaries."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._sums: dict[str, dict[str, Branch]] = {}
        self._seen: dict[str, dict[str, None]] = {}

    def add(self, rewards: Sequence[Reward], pulls: Sequence[Pulls] = ()) -> list[bool]:
        """As `Store.add`."""
        for each in pulls:
            self._of(each.router)[each.branch] = self._of(each.router).get(each.branch, Branch()).pulled(each.count)
        return [self._reward(each) for each in rewards]

    def read(self, router: str) -> dict[str, Branch]:
        """As `Store.read`."""
        return dict(self._sums.get(router, {}))

    def changed(self) -> bool:
        """Never: nobody else knows of it."""
        return False

    def routers(self) -> list[str]:
        """As `Store.routers`."""
        return sorted(self._sums)

    def close(self) -> None:
        """Nothing is held."""

    def _of(self, router: str) -> dict[str, Branch]:
        return self._sums.setdefault(router, {})

    def _reward(self, each: Reward) -> bool:
        if each.puid:
            seen = self._seen.setdefault(each.router, {})
            if puid_key(each.puid) in seen:
                return False
            seen[puid_key(each.puid)] = None
            if len(seen) > self._window:
                del seen[next(iter(seen))]
        known = self._of(each.router).get(each.branch, Branch())
        self._of(each.router)[each.branch] = known.rewarded(each.reward, each.gain)
        return True
