from collections.abc import Callable, Iterable, Mapping

from executor._native import message, transport

REQUEST: int
RESPONSE: int
FEEDBACK: int

class Tap:
    nodes: tuple[int, ...]
    faults: dict[int, bytes]

    def __init__(
        self,
        reactor: transport.Reactor,
        nodes: Iterable[int],
        take: Callable[[list[tuple[int, int, str, message.Message]], int], None],
        count_max: int = 10_000,
        size_max: int = ...,
        faults: Mapping[int, str] = ...,
    ) -> None: ...
