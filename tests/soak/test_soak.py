"""The soak as a program: it serves, tells how it goes, and ends cleanly when it is interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.processes import children, is_alive, poll

TESTS = Path(__file__).parents[1]


def test_it_tells_how_it_goes_and_can_be_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as file:
        soak = subprocess.Popen(
            [sys.executable, "-m", "soak", "--minutes", "2", "--every", "1", "--seed", "1"],
            stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        )  # fmt: skip
    try:
        poll(lambda: out.read_text().count("requests (") >= 2 or soak.poll() is not None, 60)
        started = children(soak.pid)
        assert len(started) == 3, out.read_text()
        soak.send_signal(signal.SIGINT)
        assert soak.wait(60) == 130, out.read_text()
    finally:
        soak.kill()
        soak.wait()
    said = out.read_text()
    assert "soak: 2 minutes, seed 1, 1 workers" in said
    assert "OK " in said
    assert "unexpected" not in said
    assert said.rstrip().endswith("soak: interrupted; no verdict")
    assert not any(map(is_alive, started))
