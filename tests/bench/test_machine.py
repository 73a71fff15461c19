"""Owns the tests of `bench.machine`: what is recorded of the machine and its disturbance."""

import os

import pytest

from bench import machine


def test_facts_name_the_machine() -> None:
    found = machine.facts()
    assert found["cpus"] == os.cpu_count()
    assert found["kernel"]
    assert "numpy" in found["versions"]


def test_disturbance_is_what_the_machine_did_beyond_us() -> None:
    before = machine.Busy(10.0, 100.0, 1.0)
    after = machine.Busy(12.0, 103.0, 1.5)
    assert machine.disturbance(before, after, 1.0) == {"foreign_cores": 1.0, "steal_cores": 0.25}


def test_disturbance_is_never_below_nothing() -> None:
    before, after = machine.Busy(0.0, 0.0, 0.0), machine.Busy(1.0, 0.5, 0.0)
    assert machine.disturbance(before, after, 0.7)["foreign_cores"] == 0.0


def test_reading_proc_stat() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    found = machine.busy("cpu  100 10 50 9999 5 3 2 40 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert found.busy_s == pytest.approx(165 / ticks)
    assert found.steal_s == pytest.approx(40 / ticks)


def test_server_and_generator_have_cores_that_may_be_used() -> None:
    assert set(machine.cores()) <= os.sched_getaffinity(0)


def test_a_tool_that_is_not_there_has_no_version() -> None:
    assert machine.find_tool("no-such-tool-anywhere") is None
    assert machine.tool_version("no-such-tool-anywhere") == ""
