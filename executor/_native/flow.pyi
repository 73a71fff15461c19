from executor._native import meters, transport
from executor._native import tracer as tracers

class Engine:
    reactor: transport.Reactor

    def __init__(self, reactor: transport.Reactor, in_flight_max: int = 100_000) -> None: ...
    def count(self, meter: meters.EngineMeter) -> None:
        """Counts requests in flight and those rejected in `meter` from now on."""

    def trace(self, tracer: tracers.Tracer) -> None:
        """Traces requests by what `tracer` decides from now on."""

    @property
    def in_flight(self) -> int: ...
