"""Owns the settings that only `millrace microservice` has: what Seldon's wrapper does and a node of ours does not.

Must not act on them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What the command of Seldon's wrapper was asked."""

    max_requests: int = 0
    """After so many REST requests a process is replaced by a new one; 0: never."""
    max_requests_jitter: int = 0
    """Up to so many more, by chance, so that not all processes are replaced at once."""
    json_as_ascii: bool = True
    """Whether JSON that goes back is ASCII, with escapes for all other characters."""
    json_sorted: bool = True
    """Whether members of what a class answers come in the order of their names, not in the class's own."""
    json_pretty: bool = False
    """Whether JSON that goes back has lines and indents."""
