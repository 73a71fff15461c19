"""Owns the tests of `bench.processes`: processes, their cost and their end."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench import processes

CODE = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "


def test_a_tree_of_processes_is_found_and_ended() -> None:
    with processes.Children() as children:
        child = children.start("tree", [sys.executable, "-c", CODE + "print('ready', flush=True); time.sleep(60)"], 0)
        child.wait_log("^ready")
        pids = child.pids
        assert len(pids) == 2
        assert processes.peak_rss_bytes(pids) > 1 << 20
    assert child.process.returncode is not None


def test_cpu_time_is_that_of_the_process() -> None:
    before = processes.cpu_s(os.getpid())
    started = time.process_time()
    while time.process_time() < started + 0.02:
        pass
    assert processes.cpu_s(os.getpid()) - before >= 0.02


def test_a_process_that_is_gone_costs_nothing() -> None:
    assert processes.cpu_s(2**22 + 1) == 0.0
    assert processes.peak_rss_bytes([2**22 + 1]) == 0


def test_a_process_that_ends_too_soon_says_why() -> None:
    with processes.Children() as children:
        child = children.start("broken", [sys.executable, "-c", "import sys; sys.exit('out of luck')"], 0)
        with pytest.raises(processes.BenchError, match=r"broken ended with status 1: .*out of luck"):
            child.wait_log("^never")


def test_logs_are_gone_afterwards() -> None:
    with processes.Children() as children:
        folder = children.folder
        assert folder.is_dir()
    assert not Path(folder).exists()


def test_free_ports_differ() -> None:
    assert len(set(processes.free_ports(5))) == 5
