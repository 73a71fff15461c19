"""Owns the marker for user methods that are run inline on the event loop's thread.

Must not import anything of ours: user code imports it, in any process.
"""

from typing import Any, TypeVar

Marked = TypeVar("Marked")

MARK = "_millrace_quick"


def quick(target: Marked) -> Marked:
    """Mark a method, or a class for all methods written in its body, as returning within microseconds.

    A marked method is run on the event loop's thread, which costs a few microseconds instead of a trip through
    a pool of threads. It holds up every other request while it runs: never mark code that waits or computes long.
    """
    setattr(target, MARK, True)
    return target


def is_marked(owner: type, function: Any) -> bool:
    """Whether `function`, written in the body of class `owner`, is quick.

    A marked base class says nothing on what a subclass writes.
    """
    return bool(getattr(function, MARK, False)) or bool(vars(owner).get(MARK, False))
