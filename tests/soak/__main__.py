"""Owns the command line of the soak: `PYTHONPATH=tests python -m soak --help`.

Must not know what is asked, nor how a process is judged.
"""

import argparse
import random
import sys
import time
import warnings

from soak import judge
from soak.load import Load
from soak.scene import Scene
from soak.watch import Watch

from executor.signals import stopped_by_signals

SAMPLE_S = 1.0
HEAVY_PART = 0.75
"""Of the warm-up: after that, what was queued has time to go."""
RELOAD_S = 15.0
RESTART_S = 25.0
REST_S = 20.0
"""How long after the load connections may take to go."""
LEFT_FDS = 64
"""Descriptors that may be left then, more than at first: what channels to nodes keep open."""
INTERRUPTED = 130


class Every:
    """What is due each so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def due(self) -> bool:
        """Whether it is, which is then over."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="Serves a mixed load for long, and looks for leaks.")
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the executor (default: 1)")
    parser.add_argument("--threads", type=int, default=6, help="clients at once (default: 6)")
    parser.add_argument("--every", type=float, default=10, metavar="SECONDS", help="how often to tell (default: 10)")
    parser.add_argument("--seed", type=int, help="of what clients do; the default is a new one, which is printed")
    return parser.parse_args()


def told(watch: Watch, load: Load, before: int, seconds: float) -> str:
    """A line on how it goes."""
    statuses = ", ".join(f"{status} {count}" for status, count in load.statuses().items())
    rate = (load.requests - before) / seconds
    return f"soak: {watch.seconds:5.0f} s: {load.requests} requests ({rate:.0f}/s): {statuses}; {watch.line()}"


def soak(scene: Scene, load: Load, watch: Watch, seconds: float, every: float) -> None:
    """Lets the load run, does to the processes what is done to them, and looks at them."""
    tell, reload, restart = Every(every), Every(RELOAD_S), Every(RESTART_S)
    before = 0
    while watch.seconds < seconds:
        watch.take(scene.watched)
        load.warming = watch.seconds < seconds * judge.WARM_UP * HEAVY_PART
        if tell.due():
            print(told(watch, load, before, every), flush=True)
            before = load.requests
        if reload.due():
            scene.reload()
        if restart.due():
            scene.restart()
        time.sleep(SAMPLE_S)


def descriptors(watch: Watch, scene: Scene) -> dict[str, int]:
    watch.take(scene.watched)
    return {name: samples[-1].fds for name, samples in watch.samples.items()}


def left_over(watch: Watch, scene: Scene, first: dict[str, int]) -> list[str]:
    """Waits until clients' connections are gone; processes that keep too many descriptors."""
    due = time.monotonic() + REST_S
    while True:
        now = descriptors(watch, scene)
        kept = [
            f"{name}: {count} descriptors after the load, {first[name]} before it"
            for name, count in now.items()
            if count > first.get(name, count) + LEFT_FDS
        ]
        if not kept or time.monotonic() > due:
            print("soak: descriptors after the load: " + ", ".join(f"{each} {now[each]}" for each in now), flush=True)
            return kept
        time.sleep(SAMPLE_S)


def main() -> int:
    """Soaks and judges. The exit status: 1 when something was wrong."""
    arguments = parsed()
    warnings.simplefilter("error")
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"soak: {arguments.minutes:g} minutes, seed {seed}, {arguments.workers} workers", flush=True)
    try:
        with stopped_by_signals(), Scene(arguments.workers) as scene:
            watch = Watch()
            first = descriptors(watch, scene)
            load = Load(scene, seed, arguments.threads)
            with load:
                soak(scene, load, watch, arguments.minutes * 60, arguments.every)
            return verdict(scene, load, watch, first)
    except KeyboardInterrupt:
        print("soak: interrupted; no verdict", flush=True)
        return INTERRUPTED


def verdict(scene: Scene, load: Load, watch: Watch, first: dict[str, int]) -> int:
    """Prints how it went. The exit status."""
    series = {name: list(samples) for name, samples in watch.samples.items()}
    wrong = left_over(watch, scene, first)
    for name, samples in series.items():
        print(f"soak: {judge.told(name, samples)}")
        wrong += judge.faults(name, samples)
    for (action, status), count in sorted(load.counts.items()):
        print(f"soak: {action}: {status} {count}")
    print(f"soak: {scene.reloads} reloads, {scene.restarts} restarts of a node")
    wrong += load.unexpected[:20]
    wrong += scene.end()
    for each in wrong:
        print(f"soak: WRONG: {each}")
    print(f"soak: {'failed' if wrong else 'ok'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
