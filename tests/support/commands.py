"""Owns how tests of the command line see a user's mistakes, and a small manifest.

Must not know a command.
"""

import pytest

from executor import cli, options

GRAPH = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: demo}
spec:
  predictors:
  - name: p
    graph:
      name: r
      type: ROUTER
      children:
      - {name: a, type: MODEL}
      - {name: b, type: MODEL}
"""


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one message that wrong arguments lead to."""
    try:
        status = cli.main(arguments, {})
    except SystemExit as stop:
        status = int(stop.code or 0)
    told = capsys.readouterr()
    assert status == options.USAGE_STATUS
    assert told.out == ""
    assert "Traceback" not in told.err
    return told.err
