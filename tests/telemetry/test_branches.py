"""What is counted of the branches of routers that learn."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from executor._native import stats
from executor.telemetry.branches import Branches
from executor.telemetry.store import Store


@dataclass
class Known:
    name: str
    mean: float
    chance: float


BRANCHES = {"r": [Known("a", 0.25, 0.9), Known("b", 0.5, 0.1)]}


@pytest.fixture
def region() -> Iterator[stats.Region]:
    made = stats.Region(2)
    yield made
    made.close()


def told(region: stats.Region) -> dict[str, object]:
    """All series of routers that are not 0."""
    series = {key.decode(): value for (_, key), value in region.read(0.0).items()}
    return {key.removeprefix("millrace_router_"): value for key, value in series.items() if "router" in key and value}


def test_pulls_and_rewards_are_counted_by_branch(region: stats.Region) -> None:
    for index in (1, 2):
        branches = Branches(Store(region, index))
        branches.pulled("r", "a", 3)
        branches.rewarded("r", "b")
    assert told(region) == {
        'pulls_total{model_name="r",branch="a"}': 6,
        'rewards_total{model_name="r",branch="b"}': 2,
    }


def test_what_all_workers_know_is_told_by_one(region: stats.Region) -> None:
    for index in (2, 1):
        Branches(Store(region, index)).known(BRANCHES)
    assert told(region) == {
        'reward_mean{model_name="r",branch="a"}': 0.25,
        'reward_mean{model_name="r",branch="b"}': 0.5,
        'chance{model_name="r",branch="a"}': 0.9,
        'chance{model_name="r",branch="b"}': 0.1,
    }


def test_routers_that_are_gone_are_told_no_more() -> None:
    store = Store()
    branches = Branches(store)
    branches.known(BRANCHES)
    branches.known({})
    assert told(store.region) == {}
    store.close()
