"""`make demo` ends well, and what goes wrong in it is said."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*command: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", *command], capture_output=True, text=True, timeout=timeout_s)


@pytest.mark.timeout(240)
def test_the_demo_ends_with_ok() -> None:
    done = run(str(EXAMPLES / "demo.py"), timeout_s=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("demo: ok")
    for word in ("by-ink", "over gRPC: accuracy", "over REST: accuracy", "node scaler", "feedback: 120 sent"):
        assert word in done.stdout


FAILING = """
import sys
sys.path.append({root!r})
from examples import processes

try:
    with processes.Children() as children:
        children.start("hopeless", "node", "no/such/file.py:Model", "--type", "MODEL")
        children.wait()
except processes.DemoError as error:
    print("error:", error)
print([child.process.poll() for child in children.all])
"""


def test_a_process_that_does_not_come_up_is_named_with_its_log() -> None:
    done = run("-c", FAILING.format(root=str(EXAMPLES.parent)), timeout_s=60)
    assert "error: hopeless ended with status 2 before it was ready" in done.stdout
    assert "what hopeless said" in done.stderr
    assert "no/such/file.py" in done.stderr
    assert done.stdout.rstrip().endswith("[2]")
