"""Settings of what only `millrace microservice` has; what they do, tests of e2e show."""

from executor.settings import NodeSettings
from executor.wrapper import Wrapper


def test_they_reach_other_processes() -> None:
    said = NodeSettings("m.py:M", wrapper=Wrapper(max_requests=3, max_requests_jitter=2, json_sorted=False))
    assert NodeSettings.from_json(said.to_json()) == said
    assert NodeSettings.from_json(NodeSettings("m.py:M").to_json()).wrapper is None
