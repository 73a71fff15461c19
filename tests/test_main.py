"""How the program begins, before it knows what it is asked for."""

import signal
import subprocess
import sys

import pytest

KILLED = (
    "import os, signal, executor.__main__ as begun; begun.heed_termination({pid}); os.kill(os.getpid(), signal.SIGTERM)"
)

LOADING = """
import os, signal, sys
class Interrupting:
    def find_spec(name, path=None, target=None):
        if name == "executor.cli":
            os.kill(os.getpid(), signal.SIGINT)
            sum(range(1000))
sys.meta_path.insert(0, Interrupting)
sys.argv = ["millrace", "--version"]
signal.signal(signal.SIGINT, signal.{handler})
from executor.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(("pid", "status"), [(1, 128 + signal.SIGTERM), (2, -signal.SIGTERM)])
def test_the_first_process_of_a_container_ends_when_it_is_told_to(pid: int, status: int) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED.format(pid=pid)], timeout=60).returncode == status


def test_it_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "executor", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.startswith("millrace ")) == (0, True)


@pytest.mark.parametrize(("handler", "status"), [("default_int_handler", 128 + signal.SIGINT), ("SIG_IGN", 0)])
def test_an_interrupt_while_it_loads_ends_it_without_a_word(handler: str, status: int) -> None:
    program = LOADING.format(handler=handler)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (status, "")
