"""Owns the Ray Serve composition of scenario `rest-compose`: a deployment that scales, and one that is the model.

Must not import the executor: it runs in an environment of its own.
"""

import argparse
import signal
from importlib import import_module
from typing import Any

# By name: type checkers run where these are not installed.
numpy: Any = import_module("numpy")
ray: Any = import_module("ray")
serve: Any = import_module("ray.serve")
responses: Any = import_module("starlette.responses")

IN_FLIGHT = 256


class Model:
    """Answers what it is given."""

    async def predict(self, rows: Any) -> Any:
        return rows


class Scaler:
    """Divides by 16 and asks the model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    async def __call__(self, request: Any) -> Any:
        message = await request.json()
        rows = numpy.array(message["data"]["ndarray"]) / 16.0
        answer = await self._model.predict.remote(rows)
        return responses.JSONResponse({"data": {"ndarray": answer.tolist()}})


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    ray.init(include_dashboard=False, num_cpus=4, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": arguments.port})
    deployed = serve.deployment(max_ongoing_requests=IN_FLIGHT, ray_actor_options={"num_cpus": 0.1})
    serve.run(deployed(Scaler).bind(deployed(Model).bind()), route_prefix="/predict", name="compose")
    print("ready", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
