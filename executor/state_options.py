"""Owns the option of the command line about what routers learn: where it is kept.

Must not open a place before it is asked to: `executor.state` does.
"""

import argparse

from executor import errors, state


def add_serving(parser: argparse.ArgumentParser) -> None:
    """Where `millrace run` keeps what routers learn."""
    group = parser.add_argument_group("learning", "for graphs with a router that learns from feedback")
    group.add_argument("--state", metavar="PLACE",
                       help=f"where what is learned is kept: {state.FORMS} (default: a file of the user's own, below"
                       " ~/.local/state/millrace)")  # fmt: skip


def place(parsed: argparse.Namespace, workers: int) -> str | None:
    """From the arguments; None is the default. Raises `errors.RequestError`."""
    if parsed.state is None:
        return None
    if parsed.state == state.MEMORY and workers > 1:
        raise errors.RequestError("--state memory: several workers need a place that they share; leave it out")
    return state.checked(parsed.state)
