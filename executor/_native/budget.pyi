from types import TracebackType
from typing import Self

class Budget:
    """Bounds on the memory of received messages: `Budget(hard, soft)` in bytes; without, everything is let in.

    Requests wait above `soft`, default half of `hard`; answers of nodes are refused above `hard`.
    """

    def __init__(self, hard: int | None = None, soft: int | None = None) -> None: ...
    def hold(self) -> Hold:
        """What Python keeps in memory by itself, counted: `with budget.hold() as held: held.add(n)`."""

    @property
    def used(self) -> int:
        """Bytes that are taken."""

    @property
    def soft(self) -> int:
        """Bytes above which requests wait."""

    @property
    def hard(self) -> int:
        """Bytes above which nothing is let in."""

    @property
    def waiting(self) -> int:
        """Requests that wait for room."""

    @property
    def held(self) -> int:
        """Bytes that came already for requests that wait; they are not in `used`."""

    @property
    def held_max(self) -> int:
        """Bytes that may come for requests that wait, all together."""

class Hold:
    """Bytes that Python holds, out of a budget: given back at the end of the `with` block."""

    def __init__(self, budget: Budget) -> None: ...
    def add(self, size: int) -> bool:
        """Takes more. False, and nothing taken, when requests have to wait for memory."""

    def close(self) -> None:
        """Gives all back."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None: ...
