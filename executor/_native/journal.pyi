from collections.abc import Callable

from executor._native import transport

FAILED: int
SERVED: int
MORE: int

class Journal:
    def __init__(
        self,
        reactor: transport.Reactor,
        take: Callable[[list[tuple[int, bool, int, float, float, int, int, bytes, bytes, bytes, bytes]], int], object],
        access: bool = False,
    ) -> None: ...
    @property
    def access(self) -> bool: ...
    def ended(
        self,
        status: int,
        began: float,
        path: bytes,
        puid: bytes | None,
        came: int,
        went: int,
        node: bytes | None = None,
        text: bytes | None = None,
    ) -> None: ...
    def tell(self) -> None: ...
    def close(self) -> None: ...
