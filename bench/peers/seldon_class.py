"""Owns the class that scenarios `wrapper-rest` and `wrapper-grpc` serve, by millrace and by Seldon's own wrapper.

Must not import the executor, nor be marked for it: it is a class as teams have them.
"""

from typing import Any


class Echo:
    """Answers what it is given."""

    def predict(self, X: Any, names: Any, meta: Any = None) -> Any:
        return X
