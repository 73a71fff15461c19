"""Metrics of components: what they become, and what is too much."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from executor._native import stats
from executor.telemetry import users
from executor.telemetry.families import Names
from executor.telemetry.store import Store

LABELS = users.node_labels(Names("dep", "main", "v1"), "m", "org/model:2", 3)


@pytest.fixture
def kept() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.fixture
def recorder(kept: Store) -> users.Recorder:
    return users.Recorder(kept.users, LABELS)


def entry(kind: str, value: float, key: str = "seen", **tags: str) -> dict[str, Any]:
    return {"key": key, "type": kind, "value": value, "tags": tags}


def found(kept: Store) -> dict[str, Any]:
    """The users' series of a store by name, and their values."""
    return {
        key.decode().partition("{")[0]: value
        for (_, key), value in kept.region.read(0.0).items()
        if not key.startswith(b"millrace_")
    }


def dropped(kept: Store) -> dict[str, float]:
    series: dict[Any, Any] = kept.region.read(0.0)
    return {
        key.decode().split('"')[1]: value
        for (_, key), value in series.items()
        if key.startswith(b"millrace_metrics_dropped") and value
    }


def test_counters_add_and_gauges_are_set(kept: Store, recorder: users.Recorder) -> None:
    recorder.record(
        "predict", [entry("COUNTER", 2), entry("COUNTER", 3), entry("GAUGE", 1, "g"), entry("GAUGE", 7, "g")]
    )
    assert found(kept) == {"seen_total": 5, "g": 7}


def test_counters_may_go_down(kept: Store, recorder: users.Recorder) -> None:
    recorder.record("predict", [entry("COUNTER", 5), entry("COUNTER", -7), entry("GAUGE", 3)])
    assert found(kept) == {"seen_total": -2, "seen": 3}
    assert not dropped(kept)


def test_timers_are_histograms_of_seconds(kept: Store, recorder: users.Recorder) -> None:
    recorder.record("predict", [entry("TIMER", 12, "took")])
    bounds, counts, total = found(kept)["took"]
    assert (len(bounds), bounds[0], bounds[-1]) == (50, 0.001, pytest.approx(30))
    assert (sum(counts), total) == (1, 0.012)
    assert bounds[counts.index(1) - 1] < 0.012 <= bounds[counts.index(1)]


def test_labels_say_whose_it_is(kept: Store, recorder: users.Recorder) -> None:
    recorder.record("router", [entry("GAUGE", 1, room='a"b')])
    (key,) = (key for _, key in kept.region.read(0.0) if key.startswith(b"seen"))
    assert key.decode() == (
        'seen{deployment_name="dep",predictor_name="main",predictor_version="v1",model_name="m",model_image="org/model",'
        'model_version="2",seldon_deployment_name="dep",image_name="org/model",image_version="2",worker_id="3",'
        'method="router",room="a\\"b"}'
    )


def test_what_is_not_known_is_said_so(kept: Store) -> None:
    recorder = users.Recorder(kept.users, users.node_labels(Names(), "m", "", 0))
    recorder.record("predict", [entry("GAUGE", 1)])
    (key,) = (key for _, key in kept.region.read(0.0) if key.startswith(b"seen"))
    assert b'deployment_name="NOT_IMPLEMENTED"' in key
    assert b'image_version="NOT_IMPLEMENTED"' in key


@pytest.mark.parametrize(
    ("tag", "label"),
    [
        ("room", "room"),
        ("a-b", "a_b"),
        ("__name", "name"),
        ("le", "tag_le"),
        ("method", "tag_method"),
        ("1st", "tag_1st"),
        ("", "tag"),
    ],
)
def test_tags_become_labels(kept: Store, recorder: users.Recorder, tag: str, label: str) -> None:
    recorder.record("predict", [entry("GAUGE", 1, **{tag: "x" * 999})])
    (key,) = (key for _, key in kept.region.read(0.0) if key.startswith(b"seen"))
    assert f',{label}="{"x" * users.TEXT_MAX}"}}'.encode() in key


def test_names_are_made_good(kept: Store, recorder: users.Recorder) -> None:
    recorder.record(
        "predict", [entry("GAUGE", 1, "my metric"), entry("GAUGE", 1, "2nd"), entry("COUNTER", 1, "n_total")]
    )
    assert found(kept) == {"my_metric": 1, "_2nd": 1, "n_total": 1}


def test_rewards_count_unless_they_are_nothing(kept: Store, recorder: users.Recorder) -> None:
    for reward in (0.0, 1.5, -0.5):
        recorder.reward(reward)
    assert found(kept) == {"seldon_api_model_feedback_total": 2, "seldon_api_model_feedback_reward_total": 1.0}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry("GAUGE", math.nan), "value"),
        (entry("COUNTER", math.inf), "value"),
        (entry("GAUGE", 1, "process_open_fds"), "name"),
        (entry("COUNTER", 1, "millrace_mine"), "name"),
        (entry("GAUGE", 1, "taken"), "type"),
    ],
)
def test_what_cannot_be_counted_is_counted_as_dropped(
    kept: Store, recorder: users.Recorder, bad: dict[str, Any], reason: str
) -> None:
    recorder.record("predict", [entry("TIMER", 1, "taken")])
    recorder.record("predict", [bad, bad])
    assert dropped(kept) == {reason: 2}
    assert [*found(kept)] == ["taken"]


def test_there_are_only_so_many(kept: Store, recorder: users.Recorder) -> None:
    for number in range(users.SERIES_MAX + 5):
        recorder.record("predict", [entry("GAUGE", 1, user=str(number))])
    assert dropped(kept) == {"series": 5}
    for number in range(users.FAMILIES_MAX + 5):
        recorder.record("predict", [entry("GAUGE", 1, f"g{number}")])
    assert dropped(kept) == {"series": 11}
    recorder.record("predict", [entry("GAUGE", 2, user="7")])
    series = kept.region.read(0.0)
    assert [value for (kind, key), value in series.items() if b'user="7"' in key and kind == stats.GAUGE] == [2]


@pytest.mark.parametrize(
    ("labels", "version"), [('{"version":"v2"}', "v2"), ("{}", ""), ("not json", ""), ("[1]", ""), ("", "")]
)
def test_a_nodes_environment_says_of_which_graph_it_is(labels: str, version: str) -> None:
    said = {"SELDON_DEPLOYMENT_ID": "dep", "PREDICTOR_ID": "main", "PREDICTOR_LABELS": labels}
    assert users.names_from(said) == Names("dep", "main", version)
    assert users.names_from({}) == Names()
