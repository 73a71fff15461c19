"""The bandit example, by the commands of docs/bandits.md; and its models."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy
from support.processes import COMMAND, Programs

from executor.component import load

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[list[str]]:
    text = (ROOT / "docs" / "bandits.md").read_text()
    return [shlex.split(block) for block in re.findall(r"^```\n(.*?)^```", text, re.M | re.S)]


def test_the_commands_of_the_docs(tmp_path: Path) -> None:
    serve, drive, show = commands()
    environment = {"HOME": str(tmp_path)}
    served = [str(ROOT / each) if each.startswith("examples/") else each for each in serve[2:]]
    served = [re.sub(r"=examples/", f"={ROOT}/examples/", each) for each in served]
    with Programs() as programs:
        ports = ("--grpc-port", "0", "--http-port", "0")
        program = programs.start(serve[1], *served, *ports, environment=environment).ready()
        assert drive == ["python", "examples/bandit/drive.py", "localhost:8000"]
        asked = [sys.executable, str(ROOT / drive[1]), f"127.0.0.1:{program.http_port}"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=100).stdout
        counts = re.fullmatch(r"the last third .* to steady (\d+) times, to sharp (\d+) times\n", said)
        assert counts is not None, said
        assert int(counts[2]) > int(counts[1])
        place = show[2].replace("~", str(tmp_path))
        shown = subprocess.run([*COMMAND, show[1], place], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in shown.splitlines()[1:]]
    assert [row[:2] for row in rows] == [["bandit/main/which", "sharp"], ["bandit/main/which", "steady"]]
    assert sum(int(row[3]) for row in rows) == 300
    assert (show[0], os.path.basename(place)) == ("millrace", "bandit-main.sqlite")


def test_a_model_is_right_as_often_as_it_says() -> None:
    model = load.component(f"{ROOT}/examples/bandit/models.py:Guess", {"accuracy": 0.9})
    rows = numpy.array([[1.0], [-1.0]] * 1000)
    found = model.predict(rows, [])
    assert 0.87 < (found == (rows[:, 0] > 0)).mean() < 0.93
