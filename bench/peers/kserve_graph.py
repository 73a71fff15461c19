"""Owns the KServe graph of the compose scenarios: a transformer that divides by 16, and a predictor behind it.

Must not import the executor: it runs in an environment of its own. Both are processes, as KServe deploys them.
"""

import argparse
import subprocess
import sys
import time
import urllib.request
from importlib import import_module
from typing import Any

# By name: type checkers run where these are not installed.
numpy: Any = import_module("numpy")
kserve: Any = import_module("kserve")
predictor_config: Any = import_module("kserve.predictor_config")

NAME = "compose"
HOST = "127.0.0.1"
READY_S = 60.0


class Predictor(kserve.Model):
    """Answers what it is given."""

    async def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(payload, dict):
            return {"predictions": payload["instances"]}
        return answer_of(payload.inputs[0].as_numpy())


class Transformer(kserve.Model):
    """Divides by 16; the SDK asks the predictor."""

    async def preprocess(self, payload: Any, headers: Any = None) -> Any:
        if isinstance(payload, dict):
            return {"instances": (numpy.array(payload["instances"]) / 16.0).tolist()}
        return request_of(payload.inputs[0].as_numpy() / 16.0)


def request_of(array: Any) -> Any:
    """What the predictor is asked over gRPC."""
    tensor = kserve.InferInput("X", list(array.shape), "FP64")
    tensor.set_data_from_numpy(array, binary_data=True)
    return kserve.InferRequest(NAME, [tensor])


def answer_of(array: Any) -> Any:
    """What it answers."""
    tensor = kserve.InferOutput("Y", list(array.shape), "FP64")
    tensor.set_data_from_numpy(array, binary_data=True)
    return kserve.InferResponse("", NAME, [tensor])


def wait(port: int) -> None:
    """Returns when a server answers; raises OSError when it does not."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/v2/health/ready", timeout=2).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def serve(model: Any, http_port: int, grpc_port: int, config: Any = None) -> None:
    """Serves a model until it is ended."""
    if not model.ready:
        model.ready = True
    server = kserve.ModelServer(
        http_port=http_port,
        grpc_port=grpc_port,
        workers=1,
        enable_latency_logging=False,
        predictor_config=config,
    )
    server.start([model])


def child(role: str, http_port: int, grpc_port: int, *more: str) -> "subprocess.Popen[bytes]":
    """One of both, as a process."""
    command = [sys.executable, __file__, "--role", role, "--http-port", str(http_port), "--grpc-port", str(grpc_port)]
    return subprocess.Popen([*command, *more])


def both(arguments: argparse.Namespace) -> None:
    """Starts the predictor, then the transformer; says so when they answer, and ends with the first that ends."""
    http_port, grpc_port = arguments.ports
    predictor = child("predictor", http_port, grpc_port)
    wait(http_port)
    ports = ["--ports", str(http_port), str(grpc_port), *(["--over-grpc"] if arguments.over_grpc else [])]
    transformer = child("transformer", arguments.http_port, arguments.grpc_port, *ports)
    wait(arguments.http_port)
    print("ready", flush=True)
    transformer.wait()
    predictor.terminate()


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", choices=("both", "predictor", "transformer"), default="both")
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--ports", type=int, nargs=2, help="the predictor's")
    parser.add_argument("--over-grpc", action="store_true", help="between the two")
    arguments = parser.parse_args()
    if arguments.role == "both":
        both(arguments)
    elif arguments.role == "predictor":
        serve(Predictor(NAME), arguments.http_port, arguments.grpc_port)
    else:
        port = arguments.ports[1 if arguments.over_grpc else 0]
        protocol = "grpc-v2" if arguments.over_grpc else "v1"
        config = predictor_config.PredictorConfig(f"{HOST}:{port}", predictor_protocol=protocol)
        serve(Transformer(NAME), arguments.http_port, arguments.grpc_port, config)


if __name__ == "__main__":
    main()
