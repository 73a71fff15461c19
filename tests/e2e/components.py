"""Components for the end-to-end tests. `millrace` loads this file by its path, here and in other processes."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy

from executor.component import mark


class Said:
    """Answers `name.method(input)`, and appends each call to a file that all nodes of a test share.

    As a router it takes the route that the text ends with: `x#1`.
    """

    def __init__(self, name: str, log: str = os.devnull) -> None:
        self.name = name
        self.log = log

    def _say(self, text: str) -> str:
        with open(self.log, "a") as file:  # short appends do not mix, whatever the process
            file.write(f"{self.name}.{text}\n")
        return f"{self.name}.{text}"

    def predict(self, X: Any, names: Sequence[str]) -> str:
        return self._say(f"predict({X})")

    def transform_input(self, X: Any, names: Sequence[str]) -> str:
        return self._say(f"transform_input({X})")

    def transform_output(self, X: Any, names: Sequence[str]) -> str:
        return self._say(f"transform_output({X})")

    def route(self, X: Any, names: Sequence[str]) -> int:
        self._say(f"route({X})")
        return int(str(X).rpartition("#")[2].rstrip(")']"))

    def aggregate(self, features_list: Sequence[Any], names_list: Sequence[Sequence[str]]) -> str:
        return self._say(f"aggregate([{','.join(features_list)}])")

    def send_feedback(self, features: Any, names: Sequence[str], reward: float, truth: Any, routing: Any = None) -> str:
        return self._say(f"send_feedback({_joined(features)},{reward:g},{_joined(truth)},{routing})")

    def init_metadata(self) -> dict[str, Any]:
        return {"name": self.name, "versions": ["v1"], "platform": "test"}


def _joined(features: Any) -> str | None:
    return " ".join(map(str, features)) or None


class Scale:
    """Multiplies, and says who did: with tags, metrics and names."""

    def __init__(self, name: str, factor: float = 1.0) -> None:
        self.name = name
        self.factor = factor

    @mark.quick
    def predict(self, X: Any, names: Sequence[str]) -> Any:
        return X * self.factor

    @mark.quick
    def transform_input(self, X: Any, names: Sequence[str]) -> Any:
        return X * self.factor

    @mark.quick
    def tags(self) -> dict[str, Any]:
        return {self.name: self.factor, "last": self.name}

    @mark.quick
    def metrics(self) -> list[dict[str, Any]]:
        return [{"type": "COUNTER", "key": f"{self.name}_calls", "value": 1}]


class Echo:
    """Answers what it is given: payloads of all kinds."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        return X

    def transform_input(self, X: Any, names: Sequence[str]) -> Any:
        return X


class Hanging(Echo):
    """Holds what says `hang` for half a minute, or until its caller has gone; answers `pid` with its own."""

    async def predict(self, X: Any, names: Sequence[str]) -> Any:
        if isinstance(X, str) and X.startswith("hang"):
            await asyncio.sleep(30)
        return str(os.getpid()) if isinstance(X, str) and X == "pid" else X


class NotANumber:
    """Answers NaN."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        return numpy.array([float("nan")])


class SeldonMicroserviceException(Exception):
    """Shaped and named like the exception of Seldon's wrapper."""

    def __init__(self, message: str, status_code: int, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.reason = reason


class Moody:
    """Does what the text says: `fail`, `refuse 404`, `wait PATH` until that file is there, or its pid."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        word, _, rest = str(X).partition(" ")
        if word == "fail":
            raise ValueError("out of mood")
        if word == "refuse":
            raise SeldonMicroserviceException("not now", int(rest), "BAD_MOOD")
        if word == "wait":
            with open(f"{rest}.begun", "a") as file:
                file.write(".")
            while not Path(rest).exists():
                time.sleep(0.005)
        return str(os.getpid()) if word == "pid" else f"done {rest}"


class Patient:
    """Waits for a long time, and notes in a file `begun` and `cancelled`."""

    def __init__(self, log: str = os.devnull) -> None:
        self.log = log

    async def predict(self, X: Any, names: Sequence[str]) -> Any:
        self._note("begun")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self._note("cancelled")
            raise
        return X

    def _note(self, text: str) -> None:
        with open(self.log, "a") as file:
            file.write(f"{text}\n")


class Slow(Echo):
    """Is loaded when a file is there."""

    def __init__(self, gate: str) -> None:
        self.gate = gate

    def load(self) -> None:
        while not Path(self.gate).exists():
            time.sleep(0.005)


class Late(Echo):
    """Takes its time."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        time.sleep(0.02)
        return X


class Broken(Echo):
    """Cannot be loaded."""

    def load(self) -> None:
        raise FileNotFoundError("no weights")


class Refusing(Echo):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no licence")


class Dying(Echo):
    """Takes its process along while it is loaded."""

    def load(self) -> None:
        os._exit(3)


class Ragged(Echo):
    """Answers lists that differ in length, which no array holds."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        return [[1.0, 2.0], [3.0]]


class First:
    """Answers the first of what it is given as arrays."""

    def aggregate(self, features_list: Sequence[Any], names_list: Sequence[Sequence[str]]) -> Any:
        return features_list[0]

    def transform_output(self, X: Any, names: Sequence[str]) -> Any:
        return X


class Quitting:
    """Ends like a script does."""

    def predict(self, X: Any, names: Sequence[str]) -> Any:
        raise SystemExit("enough")


class QuickQuitting:
    """The same on the event loop's thread."""

    @mark.quick
    def predict(self, X: Any, names: Sequence[str]) -> Any:
        raise SystemExit("enough")


class AsyncQuitting:
    """The same in a coroutine."""

    async def predict(self, X: Any, names: Sequence[str]) -> Any:
        raise SystemExit("enough")


class RawQuitting:
    """The same in a raw method."""

    def predict_raw(self, message: Any) -> Any:
        raise SystemExit("enough")


class TagQuitting(Echo):
    """The same in a method that is asked after the call."""

    def tags(self) -> Any:
        raise SystemExit("enough")


class QuittingInit(Echo):
    """Ends as it is made."""

    def __init__(self) -> None:
        raise SystemExit("no more")


class QuittingLoad(Echo):
    """Ends as it is loaded."""

    def load(self) -> None:
        raise SystemExit("no more")


class Fed:
    """Takes feedback, and answers with all that it may."""

    def predict(self, X: Any, names: Any) -> Any:
        return X

    def send_feedback(self, features: Any, names: Any, reward: Any, truth: Any, routing: Any = None) -> Any:
        return [1, 2]

    def tags(self) -> Any:
        return {"n": [1, True]}

    def metrics(self) -> Any:
        return [{"key": "k", "type": "COUNTER", "value": 1}, {"key": "g", "type": "GAUGE", "value": 2}]
