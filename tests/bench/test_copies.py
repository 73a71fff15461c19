"""Owns the tests of `bench.copies`: bytes that a process copies are counted while others are not disturbed."""

import os
import subprocess
import sys
from pathlib import Path

from bench import copies

# bytes.join copies each part once, by memcpy.
CODE = "parts = [bytes(1 << 20)] * 8; print(len(b''.join(parts)))"


def test_large_copies_are_counted(tmp_path: Path) -> None:
    counter = copies.Counter(tmp_path)
    assert counter.bytes == 0
    environment = {**os.environ, **counter.environment}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(8 << 20)), done.stderr
    assert 8 << 20 <= counter.bytes < 16 << 20


def test_each_counter_starts_from_zero(tmp_path: Path) -> None:
    (tmp_path / "copies").write_bytes(b"\xff" * 8)
    assert copies.Counter(tmp_path).bytes == 0
