"""What the system says of this process."""

import os
import time

from executor.telemetry import system


def test_it_is_this_process() -> None:
    before = system.look()
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
    due = time.process_time() + 0.05
    while time.process_time() < due:
        pass
    after = system.look()
    for each in kept:
        os.close(each)
    assert after.fds == before.fds + 8
    assert after.cpu_s >= before.cpu_s + 0.05
    assert 1 << 20 < after.resident_bytes < 1 << 40
