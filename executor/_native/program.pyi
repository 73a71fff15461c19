from collections.abc import Mapping, Sequence

from executor._native import endpoint, tap, weights
from executor.graph import plan

class Program:
    def __init__(
        self,
        nodes: Sequence[plan.PlanNode],
        endpoints: Sequence[endpoint.Endpoint | None],
        routing: int = 0,
        adds_puid: bool = False,
        tables: Mapping[int, weights.Weights] | None = None,
        tap: tap.Tap | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
