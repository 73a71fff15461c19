"""Owns looking at processes from outside: memory, descriptors, threads.

Must not judge them.
"""

import contextlib
import time
from pathlib import Path

from soak.judge import Sample


def look(pid: int, at: float) -> Sample | None:
    """A process as it is now; None when it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        fds = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        if "VmRSS" in fields:
            return Sample(at, int(fields["VmRSS"].split()[0]), fds, int(fields["Threads"]))
    return None


class Watch:
    """Samples of several processes, by name. One that is replaced begins anew."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.samples: dict[str, list[Sample]] = {}
        self._pids: dict[str, int] = {}

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def take(self, pids: dict[str, int]) -> None:
        """One sample of each."""
        for name, pid in pids.items():
            if self._pids.get(name) != pid:
                self._pids[name], self.samples[name] = pid, []
            sample = look(pid, self.seconds)
            if sample is not None:
                self.samples[name].append(sample)

    def line(self) -> str:
        """The last of each, in short."""
        last = [(name, samples[-1]) for name, samples in self.samples.items() if samples]
        return ", ".join(f"{name} {one.rss / 1024:.1f} MiB {one.fds} fds {one.threads} threads" for name, one in last)
