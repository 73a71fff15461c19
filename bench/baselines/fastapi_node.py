"""Owns the baseline of a Python node over REST that one would write by hand: FastAPI around a class, on uvloop.

Must not import the executor: it runs in an environment of its own.
"""

import argparse
from importlib import import_module
from typing import Any

import numpy
import uvicorn

# By name: type checkers run where it is not installed.
fastapi: Any = import_module("fastapi")


class Model:
    """Answers what it is given."""

    def predict(self, X: Any, names: list[str]) -> Any:
        return X


def application(model: Model) -> Any:
    """JSON to array, the class in a thread as FastAPI has it, array to JSON."""
    app = fastapi.FastAPI()

    def predict(message: dict[str, Any]) -> dict[str, Any]:
        data = message["data"]
        names = data.get("names", [])
        if "ndarray" in data:
            return {"data": {"ndarray": model.predict(numpy.array(data["ndarray"]), names).tolist()}, "meta": {}}
        tensor = data["tensor"]
        result = model.predict(numpy.array(tensor["values"]).reshape(tensor["shape"]), names)
        said = {"shape": list(result.shape), "values": result.ravel().tolist()}
        return {"data": {"tensor": said}, "meta": {}}

    app.post("/api/v1.0/predictions")(predict)
    return app


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(application(Model()), host="127.0.0.1", port=arguments.port, access_log=False)


if __name__ == "__main__":
    main()
