"""Tests `shares`: who may get requests when."""

import pytest
from support.resources import CONFIG, ONE, made

from operator_lite.config import Config
from operator_lite.shares import MIRRORED, may_change, shares

CANARY = ONE + ONE.replace("predictors:\n", "").replace("name: main", "name: canary\n  traffic: 20")
TWO = CANARY.replace("name: main", "name: main\n  traffic: 80")
SHADOW = TWO.replace("traffic: 80", "traffic: 100").replace("traffic: 20", "shadow: true")
ISTIO = Config(image="millrace:test", traffic="istio")
WAYS = pytest.mark.parametrize("config", [CONFIG, ISTIO], ids=["gateway", "istio"])


@WAYS
def test_shares_are_read_from_any_route(config: Config) -> None:
    assert shares(made(TWO, config)[-1]) == {"iris-main": 80, "iris-canary": 20}
    assert shares(made(SHADOW, config)[-1]) == {"iris-main": 100, "iris-canary": MIRRORED}
    assert shares({}) == {}


@WAYS
def test_nobody_who_is_not_ready_gets_more(config: Config) -> None:
    one, two, shadow = (made(spec, config)[-1] for spec in (ONE, TWO, SHADOW))
    assert not may_change(two, one, {"iris-canary"})
    assert not may_change(two, None, {"iris-main"})
    assert not may_change(shadow, one, {"iris-canary"})
    assert may_change(one, two, {"iris-canary"})
    assert not may_change(one, two, {"iris-main"})
    assert may_change(two, two, {"iris-main", "iris-canary"})
    assert may_change(two, None, set())
