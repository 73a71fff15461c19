from collections.abc import Mapping, Sequence
from typing import Any

from executor._native import endpoint, weights
from executor._native import meters as counted
from executor._native import tap as taps
from executor.graph import plan

class Program:
    def __init__(
        self,
        nodes: Sequence[plan.PlanNode],
        endpoints: Sequence[endpoint.Endpoint | None],
        routing: int = 0,
        adds_puid: bool = False,
        tables: Mapping[int, weights.Weights] | None = None,
        tap: taps.Tap | None = None,
        meters: Sequence[counted.NodeMeter] | None = None,
        spans: Sequence[tuple[int, Mapping[Any, bytes]]] | None = None,
        owes_answer: bool = False,
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
