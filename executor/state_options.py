"""Owns the options of the command line about what routers learn: where it is kept, and the command that shows it.

Must not open a place before it is asked to: `executor.state` does.
"""

import argparse
from collections.abc import Mapping

from executor import errors, state

EPILOG = f"""\
PLACE is what `millrace run` was given as --state, or says when it starts: {state.FORMS}.

examples:
  millrace state ~/.local/state/millrace/bandit-main.sqlite
  millrace state redis://localhost:6379/0
"""


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


def add_command(parser: argparse.ArgumentParser) -> None:
    """The command that shows what routers have learned."""
    parser.add_argument("place", metavar="PLACE", help="a file, or redis://HOST:PORT[/DB]")


def show(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints all branches of all routers of a place; the exit status."""
    where = state.checked(parsed.place)
    if where == state.MEMORY:
        raise errors.RequestError("state memory: it is in the process that learns; no other can see it")
    store = state.open_store(where, make=False)
    try:
        rows = [("router", "branch", "pulls", "rewards", "mean reward")]
        for router in store.routers():
            for name, each in sorted(store.read(router).items()):
                rows.append((router, name, str(each.pulls), str(each.rewards), f"{each.mean:.6g}"))
    finally:
        store.close()
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
