"""Owns what the wheel proof does once the wheel is installed: import every part, run one graph, ask it over REST.

Must not import anything that the wheel does not bring, nor expect a network beyond loopback.
"""

import importlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import executor

PACKAGE = pathlib.Path(executor.__file__).parent
COMMAND = str(pathlib.Path(sys.executable).parent / "millrace")
START_S = 60

MANIFEST = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: proof}
spec:
  predictors:
    - name: default
      graph:
        name: doubler
        type: MODEL
        endpoint: {type: GRPC}
"""
COMPONENT = """\
class Doubler:
    def predict(self, X, names=None, meta=None):
        return X * 2
"""


def import_all() -> int:
    """Import every compiled module; returns how many there are."""
    names = sorted({path.name.partition(".")[0] for path in (PACKAGE / "_native").glob("*.so")})
    for name in names:
        importlib.import_module(f"executor._native.{name}")
    assert names, "the wheel holds no compiled module"
    stubs = sorted(path.stem for path in (PACKAGE / "_native").glob("*.pyi"))
    assert stubs == names, f"compiled modules {names} and stubs {stubs} differ"
    return len(names)


def check_data() -> None:
    """The files that are not code are there too."""
    for name in ("py.typed", "_pb/seldon.proto", "_pb/tensorflow.proto", "_pb/inference.proto"):
        assert (PACKAGE / name).is_file(), f"the wheel lacks executor/{name}"


def check_command() -> None:
    """The command starts and explains itself."""
    text = subprocess.run([COMMAND, "--help"], check=True, capture_output=True, text=True, timeout=60).stdout
    commands = set(re.findall(r"\b(run|check|node|call)\b", text))
    assert commands == {"run", "check", "node", "call"}, f"`millrace --help` shows {commands} of the commands only"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def ask(url: str, body: bytes | None = None) -> bytes:
    """One HTTP request."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        data: bytes = answer.read()
    return data


def wait_ready(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until the graph answers that it is ready."""
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        assert process.poll() is None, f"`millrace run` ended with {process.returncode}"
        try:
            ask(f"{url}/ready")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"`millrace run` was not ready within {START_S} s")


def run_graph(folder: pathlib.Path) -> None:
    """Run a graph of one component, ask it, and end it as Ctrl-C does."""
    (folder / "graph.yaml").write_text(MANIFEST)
    (folder / "doubler.py").write_text(COMPONENT)
    port = free_port()
    options = ["--component", f"doubler={folder}/doubler.py:Doubler", "--host", "127.0.0.1"]
    options += ["--http-port", str(port), "--grpc-port", str(free_port())]
    process = subprocess.Popen([COMMAND, "run", str(folder / "graph.yaml"), *options])
    try:
        url = f"http://127.0.0.1:{port}"
        wait_ready(process, url)
        answer = json.loads(ask(f"{url}/api/v1.0/predictions", b'{"data": {"ndarray": [[1.5, 2.0]]}}'))
        assert answer["data"]["ndarray"] == [[3.0, 4.0]], f"wrong answer: {answer}"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0, f"`millrace run` ended with {process.returncode} after Ctrl-C"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main() -> None:
    """Everything above, with a line for each."""
    print(f"wheel: {import_all()} compiled modules import", flush=True)
    check_data()
    check_command()
    print("wheel: millrace --help reads", flush=True)
    run_graph(pathlib.Path(__file__).resolve().parent)
    print("wheel: a graph answered over REST and drained", flush=True)


if __name__ == "__main__":
    main()
