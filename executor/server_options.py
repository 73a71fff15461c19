"""Owns the options of the command line that prepackaged servers have, and how every process of ours comes to know them.

Must not load anything.
"""

import argparse
import os
from collections.abc import Mapping

from executor.settings import MODEL_CACHE, NO_PICKLE


def add(parser: argparse.ArgumentParser) -> None:
    """What `millrace run`, `node` and `executor` take."""
    group = parser.add_argument_group("prepackaged servers", "for nodes that are one, and have a modelUri")
    group.add_argument("--no-pickle", action="store_true",
                       help=f"refuse models that run code when they are loaded (or {NO_PICKLE})")  # fmt: skip
    group.add_argument("--model-cache", metavar="DIR",
                       help=f"where fetched models are kept (or {MODEL_CACHE}; default ~/.cache/millrace)")  # fmt: skip


def export(parsed: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Puts them into this process's environment: workers and isolated components inherit it."""
    for name, given in ((NO_PICKLE, "1" if parsed.no_pickle else ""), (MODEL_CACHE, parsed.model_cache)):
        value = given or environment.get(name)
        if value:
            os.environ[name] = value
