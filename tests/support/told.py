"""Owns a component for tests of clusters: it answers with the names of its predictor and of its version.

Must not answer anything else: tests count who answered.
"""

import os
from typing import Any


class Told:
    """A model of two names."""

    def predict(self, features: Any, names: Any = None) -> str:
        """Its names."""
        return f"{os.environ['PREDICTOR_ID']} {os.environ['VERSION']}"
