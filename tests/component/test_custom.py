"""`custom_service()` is run by a process of its own, which makes the component anew."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MODULE = (sys.executable, "-W", "error", "-m", "executor.component.custom")


def run(**told: Any) -> subprocess.CompletedProcess[str]:
    asked = json.dumps({"imported": False, "parameters": {}, "log_level": "info", **told})
    return subprocess.run(MODULE, input=asked, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_called_with_the_parameters_of_the_component(tmp_path: Path) -> None:
    path = tmp_path / "service.py"
    path.write_text(
        "class Service:\n"
        "    def __init__(self, name):\n        self.name = name\n"
        "    def custom_service(self):\n        print('serving', self.name)\n"
    )
    done = run(target=f"{path}:Service", parameters={"name": "n"})
    assert (done.returncode, done.stdout) == (0, "serving n\n")


def test_a_component_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    done = run(target=f"{tmp_path}/gone.py:Service")
    assert done.returncode == 2
    assert done.stderr.startswith("custom_service: component file")
