from executor._native import transport

class Engine:
    reactor: transport.Reactor

    def __init__(self, reactor: transport.Reactor, in_flight_max: int = 100_000) -> None: ...
    @property
    def in_flight(self) -> int: ...
