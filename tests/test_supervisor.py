"""Child processes: started, kept, restarted with back-off, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support.processes import is_alive, poll
from support.rest import until

from executor import supervisor
from executor.supervisor import Child

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable, "-S", "-c",
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', file=sys.stderr, flush=True);"
    "time.sleep(60)",
]  # fmt: skip

Make = Callable[..., Child]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    children: list[Child] = []

    def made(command: list[str], environment: dict[str, str] | None = None) -> Child:
        children.append(Child("m", command, environment))
        return children[-1]

    yield made
    for child in children:
        await child.stop(0.1)


async def test_a_child_runs_until_it_is_stopped(make: Make) -> None:
    child = make(SLEEP)
    assert child.pid is None
    await child.start()
    child.keep()
    pid = child.pid
    assert pid is not None
    assert is_alive(pid)
    assert child.ended is None
    await child.stop()
    assert not is_alive(pid)
    assert (child.pid, child.ended, child.restarts) == (None, "signal SIGTERM", 0)
    await child.stop()


async def test_a_child_that_dies_is_started_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    child = make(SLEEP)
    await child.start()
    child.keep()
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.restarts == 1 and child.pid is not None)
    assert child.pid != first
    assert "process of node 'm' ended with signal SIGKILL; starting it again in 0.2 s" in caplog.text


async def test_restarts_of_a_crash_loop_come_later_and_later(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(supervisor, "BACKOFF_LAST_S", 0.05)
    child = make([sys.executable, "-S", "-c", "raise SystemExit(7)"])
    await child.start()
    child.keep()
    await until(lambda: child.restarts == 4)
    assert "ended with exit status 7" in caplog.text
    waits = [record.args[-1] for record in caplog.records if isinstance(record.args, tuple)]
    assert waits[:4] == [0.01, 0.02, 0.04, 0.05]


async def test_before_it_is_kept_the_end_of_a_child_is_final(make: Make) -> None:
    child = make([sys.executable, "-S", "-c", "raise SystemExit(3)"])
    await child.start()
    await until(lambda: child.ended is not None)
    assert (child.ended, child.restarts, child.pid) == ("exit status 3", 0, None)


async def test_a_child_that_will_not_end_is_killed(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    child = make(STUBBORN)
    await child.start()
    child.keep()
    pid = child.pid
    assert pid is not None
    ignored = 1 << (signal.SIGTERM - 1)
    await until(lambda: int(_status_field(pid, "SigIgn"), 16) & ignored != 0)
    await child.stop(0.05)
    assert not is_alive(pid)
    assert child.ended == "signal SIGKILL"
    assert "is killed" in caplog.text


def _status_field(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


async def test_a_command_that_is_not_there_is_an_error(make: Make) -> None:
    child = make(["/nowhere/python"])
    with pytest.raises(FileNotFoundError):
        await child.start()
    await child.stop()


async def test_a_child_that_cannot_be_started_again_is_tried_on(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.01)
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    child = make([str(link), "-S", "-c", "import time; time.sleep(60)"])
    await child.start()
    child.keep()
    link.unlink()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: "cannot be started" in caplog.text)
    link.symlink_to(sys.executable)
    await until(lambda: child.ended is None and child.pid is not None)


async def test_the_environment_is_passed_on(make: Make, tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = "import os, pathlib; pathlib.Path(os.environ['SAID']).write_text(os.environ['WORD'])"
    child = make([sys.executable, "-S", "-c", script], {"SAID": str(said), "WORD": "hello"})
    await child.start()
    await until(lambda: child.ended is not None)
    assert child.ended == "exit status 0"
    assert said.read_text() == "hello"


PARENT = """
import asyncio, sys
from executor.supervisor import Child

async def main():
    child = Child("m", [sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    await child.start()
    child.keep()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_child_does_not_outlive_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-P", "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    poll(lambda: not is_alive(pid))


async def test_a_child_does_not_get_the_terminals_signals(make: Make) -> None:
    child = make(SLEEP)
    await child.start()
    assert child.pid is not None
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


async def test_a_child_gets_file_descriptors_as_they_are(tmp_path: Path) -> None:
    with (tmp_path / "shared").open("w+b") as shared:
        write = f"import os; os.write({shared.fileno()}, b'from the child')"
        child = Child("m", [sys.executable, "-S", "-c", write], fds=[shared.fileno()])
        await child.start()
        await until(lambda: child.ended is not None)
        assert child.ended == "exit status 0"
    assert (tmp_path / "shared").read_bytes() == b"from the child"
