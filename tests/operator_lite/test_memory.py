"""Tests `memory`: when an object need not be applied again."""

import copy

from support.resources import made, sdep

from operator_lite.memory import Memory
from operator_lite.plan import owned

OWNER = sdep(uid="u1")
WANTED = owned(made()[-2], OWNER)
LIVE = {**WANTED, "metadata": {**WANTED["metadata"], "uid": "u2", "resourceVersion": "1"}, "status": {}}


def test_what_was_applied_and_is_the_same_is_known() -> None:
    memory = Memory()
    assert not memory.is_same(WANTED, LIVE)
    memory.remember(WANTED, LIVE)
    assert memory.is_same(copy.deepcopy(WANTED), {**LIVE, "status": {"replicas": 1}})


def test_a_change_of_either_is_one() -> None:
    memory = Memory()
    memory.remember(WANTED, LIVE)
    other = copy.deepcopy(WANTED)
    other["spec"]["replicas"] = 2
    assert not memory.is_same(other, LIVE)
    assert not memory.is_same(WANTED, {**LIVE, "spec": other["spec"]})
    assert not memory.is_same(WANTED, {**LIVE, "metadata": {**LIVE["metadata"], "labels": {}}})


def test_what_is_gone_is_forgotten() -> None:
    memory = Memory()
    memory.remember(WANTED, LIVE)
    memory.drop(LIVE)
    assert not memory.is_same(WANTED, LIVE)
    memory.remember(WANTED, LIVE)
    memory.forget(("ml", "iris"))
    assert not memory.is_same(WANTED, LIVE)
