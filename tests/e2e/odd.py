"""A class as `millrace microservice` serves it: it answers what its text asks for."""

import os
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy
from seldon_core.flask_utils import SeldonMicroserviceException  # type: ignore[import-not-found,unused-ignore]


class odd:  # noqa: N801 a module and its class have one name
    """Its answers are what tests look for."""

    def load(self) -> None:
        if Path("broken").exists():
            raise RuntimeError("it is broken")

    def predict(self, X: Any, names: Any = None, meta: Any = None) -> Any:
        if not isinstance(X, str):
            return X
        if X == "slow":
            gate = Path("gate")
            Path("begun").touch()
            while not gate.exists():
                time.sleep(0.005)
        if X == "fails":
            raise ValueError("a text")
        if X == "own":
            raise SeldonMicroserviceException("no such thing", status_code=404, reason="R")
        said = {"order": {"b": 1, "a": 2}, "text": "é", "dates": numpy.array(["2020-01-02"], dtype="M8[D]")}
        if X == "day":
            return {"day": date(2020, 1, 2)}
        return said.get(X, str(os.getpid()))

    def custom_service(self) -> None:
        with open("served", "a") as file:
            file.write("x")
        time.sleep(60)
