"""Owns user code at work: loading classes, and calling them as their nodes.

Must not know a front or a connection. User code takes one thing from here: `quick`, the marker for methods that return
at once.
"""

from executor.component.mark import quick

__all__ = ["quick"]
