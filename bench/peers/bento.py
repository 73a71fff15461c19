"""Owns the BentoML composition of scenario `rest-compose`: a service that scales, and one that is the model.

Must not import the executor: it runs in an environment of its own, by `bentoml serve bento:Scaler`.
"""

from importlib import import_module
from typing import Any

# By name: type checkers run where these are not installed.
numpy: Any = import_module("numpy")
bentoml: Any = import_module("bentoml")

QUIET = {"access": {"enabled": False}}


class Model:
    """Answers what it is given."""

    async def predict(self, rows: list[list[float]]) -> list[list[float]]:
        return rows


Model.predict = bentoml.api(Model.predict)  # type: ignore[method-assign]
Model = bentoml.service(name="model", logging=QUIET)(Model)  # type: ignore[misc]


class Scaler:
    """Divides by 16 and asks the model."""

    model = bentoml.depends(Model)

    async def predict(self, data: dict[str, Any]) -> dict[str, Any]:
        rows = numpy.array(data["ndarray"]) / 16.0
        answer = await self.model.to_async.predict(rows=rows.tolist())
        return {"data": {"ndarray": answer}}


Scaler.predict = bentoml.api(route="/predict")(Scaler.predict)  # type: ignore[method-assign]
Scaler = bentoml.service(name="scaler", logging=QUIET)(Scaler)  # type: ignore[misc]
