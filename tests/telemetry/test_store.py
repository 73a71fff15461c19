"""What a process counts in, alone and as one of a group."""

import gc
import os
import weakref
from collections.abc import Iterator

import pytest

from executor import __version__
from executor._native import stats
from executor.telemetry import exposition, families, store
from executor.telemetry.store import Store


@pytest.fixture
def alone() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def value(kept: Store, start: str) -> float:
    """The value of the one series whose line begins with `start`."""
    found = [line for line in kept.text()[1].decode().splitlines() if line.startswith(start)]
    assert len(found) == 1, found
    return float(found[0].rpartition(" ")[2])


def test_what_is_counted_is_told(alone: Store) -> None:
    alone.add(families.RELOADS, "done")
    alone.add(families.RELOADS, "done", amount=2)
    alone.set(families.WORKERS, to=4)
    assert value(alone, 'millrace_reloads_total{result="done"}') == 3
    assert value(alone, "millrace_workers ") == 4
    assert f'millrace_build_info{{version="{__version__}",' in alone.text()[1].decode()
    assert alone.text()[0] == exposition.TEXT
    kind, text = alone.text("application/openmetrics-text")
    assert (kind, text.endswith(b"# EOF\n")) == (exposition.OPENMETRICS, True)


def test_how_something_ends_is_counted(alone: Store) -> None:
    with alone.counted(families.RELOADS, "done", "failed"):
        pass
    with pytest.raises(OSError, match="no"), alone.counted(families.RELOADS, "done", "failed"):
        raise OSError("no")
    assert value(alone, 'millrace_reloads_total{result="done"}') == 1
    assert value(alone, 'millrace_reloads_total{result="failed"}') == 1


def test_samples_set_gauges(alone: Store) -> None:
    alone.sampled(lambda: alone.set(families.MEMORY, "used", to=7))
    alone.sample()
    assert value(alone, 'millrace_memory_budget_bytes{state="used"}') == 7
    assert value(alone, "process_resident_memory_bytes ") > 1 << 20
    assert value(alone, "process_open_fds ") > 2
    assert value(alone, "process_cpu_seconds_total ") > 0


def test_what_is_not_there_any_more_is_zero(alone: Store) -> None:
    alone.set(families.CONNECTIONS, "grpc", to=3)
    alone.set(families.WORKERS, to=1)
    alone.set_all(families.CONNECTIONS, {("rest",): 2})
    assert value(alone, 'millrace_connections{front="grpc"}') == 0
    assert value(alone, 'millrace_connections{front="rest"}') == 2
    assert value(alone, "millrace_workers ") == 1


def test_a_family_has_only_so_many_series(alone: Store) -> None:
    for number in range(store.SERIES_MAX + 3):
        alone.set(families.NODE_CONNECTIONS, "m", f"10.0.0.{number}", "ready", to=1)
    text = alone.text()[1].decode()
    assert text.count("\nmillrace_node_connections{") == store.SERIES_MAX
    assert value(alone, 'millrace_metrics_dropped_total{reason="series"}') == 3


def test_series_for_which_there_is_no_room_are_counted(alone: Store) -> None:
    for number in range(5000):
        alone.segment.counter(b"c%d{}" % number)
    assert value(alone, 'millrace_metrics_dropped_total{reason="room"}') == alone.region.refused > 0


def test_a_counter_grows_by_what_something_else_counted(alone: Store) -> None:
    for total in (3, 3, 10):
        alone.grow(families.PAYLOADS, "sent", to=total)
    alone.grow(families.PAYLOADS, "lost", to=1)
    assert value(alone, 'millrace_payloads_total{result="sent"}') == 10
    assert value(alone, 'millrace_payloads_total{result="lost"}') == 1


def test_what_is_closed_is_gone_at_once() -> None:
    class Sampler:
        def __init__(self) -> None:
            self.store = Store()
            self.store.sampled(self.sample)

        def sample(self) -> None:
            self.store.set(families.WORKERS, to=1)

    gc.disable()
    try:
        made = Sampler()
        gone, descriptor = weakref.ref(made.store), made.store.region.fd
        made.store.close()
        made.store.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
        del made
        assert gone() is None
    finally:
        gc.enable()


def test_a_group_is_told_as_one() -> None:
    parent = Store(stats.Region(2))
    workers = [Store.of(os.dup(parent.region.fd), 2, index) for index in (1, 2)]
    for each in workers:
        each.add(families.RELOADS, "done")
        each.set(families.CONNECTIONS, "grpc", to=5)
    assert {value(each, "millrace_reloads_total") for each in (parent, *workers)} == {2}
    for each in (parent, *workers):
        each.sample()
    before = value(parent, "process_cpu_seconds_total")
    parent.segment.fold(1)
    parent.sample()
    assert value(parent, "process_cpu_seconds_total") >= before
    assert value(workers[1], "millrace_reloads_total") == 2
    assert value(workers[1], "millrace_connections") == 5
    for each in (parent, *workers):
        each.close()
