"""Owns `millrace state`: what routers have learned, shown.

Must not change any of it.
"""

import argparse
from collections.abc import Mapping

from executor import errors, state

PURPOSE = "show what routers have learned"
EPILOG = """\
PLACE is what `millrace run` was given as --state, or says when it starts: a file's path, or redis://HOST:PORT[/DB]
(rediss:// for TLS, redis+unix:///PATH for a socket). What is kept in memory alone, nobody else can see.

examples:
  millrace state ~/.local/state/millrace/bandit-main.sqlite
  millrace state redis://localhost:6379/0
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("place", metavar="PLACE", help="a file, or redis://HOST:PORT[/DB]")


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
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
