from collections.abc import Sequence

from executor._native import endpoint, tap
from executor.graph import plan

class Program:
    def __init__(
        self,
        nodes: Sequence[plan.PlanNode],
        endpoints: Sequence[endpoint.Endpoint | None],
        routing: int = 0,
        adds_puid: bool = False,
        tap: tap.Tap | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
