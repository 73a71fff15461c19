"""Owns tests of how much memory a process may use for messages."""

import argparse
from pathlib import Path

import pytest

from executor import errors, limits
from executor._native import buffer
from executor.settings import MEBIBYTE, ServeLimits


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:        8388608 kB\nMemFree:          100 kB\n")
    return path


def test_memory_is_the_machines_where_nothing_bounds_it(tmp_path: Path, machine: Path) -> None:
    assert limits.memory(tmp_path, machine) == 8 << 30
    assert limits.memory(tmp_path, tmp_path / "nothing") == limits.UNKNOWN_MEMORY


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("text", "found"),
    [("1073741824\n", 1 << 30), ("max\n", 8 << 30), ("9223372036854771712\n", 8 << 30), ("", 8 << 30), ("0", 8 << 30)],
)
def test_memory_is_the_control_groups(tmp_path: Path, machine: Path, name: str, text: str, found: int) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / name).write_text(text)
    assert limits.memory(tmp_path, machine) == found


def test_memory_is_never_more_than_the_machine_has(tmp_path: Path, machine: Path) -> None:
    (tmp_path / "memory.max").write_text(str(64 << 30))
    assert limits.memory(tmp_path, machine) == 8 << 30


def test_this_process_has_memory() -> None:
    assert limits.memory() >= 64 * MEBIBYTE


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("1000000", 1_000_000), ("512MiB", 512 << 20), ("2gib", 2 << 30), ("3 KiB", 3072)]
)
def test_sizes(text: str, size: int) -> None:
    assert limits.size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5GiB", "MiB", "10MB", "1e9", "²", "0MiB", "9" * 16])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="allowed are bytes, or numbers with KiB, MiB, GiB, TiB"):
        limits.size(text)


@pytest.mark.parametrize(
    ("size", "room"), [(0, 256), (1, 256), (256, 256), (257, 512), (5 << 20, 8 << 20), ((8 << 20) + 1, (8 << 20) + 1)]
)
def test_what_a_message_takes(size: int, room: int) -> None:
    assert limits.room(size) == room
    assert buffer.room(size) in (room, size), "as native memory has it; a build that watches memory takes no more"


def test_budget_by_what_is_said() -> None:
    found = limits.budget(ServeLimits(max_message_bytes=MEBIBYTE, memory_budget_bytes=64 * MEBIBYTE))
    assert found == limits.Budget(64 * MEBIBYTE, 32 * MEBIBYTE, 8 * MEBIBYTE)
    told = ServeLimits(max_message_bytes=MEBIBYTE, memory_budget_bytes=4 * MEBIBYTE, unread_bytes=1000)
    assert limits.budget(told).unread == 1000


def test_one_connection_may_always_leave_one_answer_unread() -> None:
    found = limits.budget(ServeLimits(memory_budget_bytes=128 * MEBIBYTE))
    assert found.unread == 64 * MEBIBYTE


def test_budget_by_the_container() -> None:
    found = limits.budget(ServeLimits(max_message_bytes=1))
    assert found.hard == limits.memory() // 2
    assert limits.budget(ServeLimits(max_message_bytes=1 << 50)).hard == 2 << 50


def test_budget_that_is_too_small() -> None:
    with pytest.raises(errors.RequestError, match="budget of 100 bytes in this process: allowed are at least 128 MiB"):
        limits.budget(ServeLimits(memory_budget_bytes=100))


def asked(*arguments: str) -> int | None:
    parser = argparse.ArgumentParser()
    limits.add(parser)
    found: int | None = parser.parse_args(arguments).memory_budget
    return found


def test_option_is_for_all_processes_together() -> None:
    assert limits.share(asked("--memory-budget", "1GiB"), MEBIBYTE, 4) == 256 * MEBIBYTE
    assert limits.share(asked("--memory-budget", "1GiB"), MEBIBYTE, 1) == 1 << 30
    assert limits.share(asked(), 1, 1) is None
    assert limits.share(asked(), 1, 2) == limits.memory() // 4
    assert limits.share(asked(), 64 * MEBIBYTE, 100_000) == 128 * MEBIBYTE, "never less than two messages"


def test_option_that_is_too_small_for_the_processes() -> None:
    told = r"300 MiB among 4 processes: allowed are at least 512 MiB, .* now 64 MiB"
    with pytest.raises(errors.RequestError, match=told):
        limits.share(asked("--memory-budget", "300MiB"), 64 * MEBIBYTE, 4)
