"""Owns the REST baseline that one would write by hand: FastAPI in front, httpx behind.

Must not import the executor: it runs in an environment of its own.
"""

import argparse
from importlib import import_module
from typing import Any

import uvicorn

# By name: type checkers run where these two are not installed.
fastapi: Any = import_module("fastapi")
httpx: Any = import_module("httpx")


def application(backend: str) -> Any:
    """JSON in, the same JSON to the node, its JSON back."""
    app = fastapi.FastAPI()
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=256, max_keepalive_connections=256))

    async def predict(message: dict[str, object]) -> dict[str, object]:
        answer = await client.post(f"http://{backend}/predict", json=message)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found

    app.post("/api/v1.0/predictions")(predict)
    return app


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--backend", required=True)
    arguments = parser.parse_args()
    uvicorn.run(application(arguments.backend), host="127.0.0.1", port=arguments.port, access_log=False)


if __name__ == "__main__":
    main()
