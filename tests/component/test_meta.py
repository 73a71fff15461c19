"""Meta is joined by the rules of Seldon's wrapper, and what a component adds is checked."""

from typing import Any

import numpy
import pytest

from executor.component import meta
from executor.errors import ComponentError


def test_nothing_to_say_is_an_empty_meta() -> None:
    assert meta.merge([], {}, [], {}) == {}
    assert meta.merge([{}, {"tags": {}}], {}, [], {}) == {}


def test_who_wins() -> None:
    first: dict[str, Any] = {
        "puid": "one",
        "tags": {"a": 1, "b": 1, "c": 1},
        "requestPath": {"m": "first", "n": "first"},
        "metrics": [{"key": "x"}],
        "routing": {"r": 0},
    }
    second: dict[str, Any] = {"puid": "two", "tags": {"b": 2, "c": 2}, "requestPath": {"m": "second"}}
    merged = meta.merge([first, second], {"c": 3}, [{"key": "y"}], {"n": "own", "o": "own"})
    assert merged == {
        "puid": "one",
        "tags": {"a": 1, "b": 2, "c": 3},
        "requestPath": {"m": "second", "n": "first", "o": "own"},
        "metrics": [{"key": "x"}, {"key": "y"}],
    }
    assert first["tags"] == {"a": 1, "b": 1, "c": 1}


def test_the_puid_is_the_first_messages_even_if_it_has_none() -> None:
    assert meta.merge([{}, {"puid": "two"}], {}, [], {}) == {}


def test_tags() -> None:
    assert meta.checked_tags(None, "n", "tags()") == {}
    assert meta.checked_tags({"a": [1]}, "n", "tags()") == {"a": [1]}
    with pytest.raises(ComponentError, match=r"node 'n': tags\(\) must be a dict, not list"):
        meta.checked_tags([], "n", "tags()")
    with pytest.raises(ComponentError, match=r"node 'n': tags\(\) has the key 3; allowed is text"):
        meta.checked_tags({3: 1}, "n", "tags()")


def test_metrics() -> None:
    given = [
        {"key": "a", "type": "COUNTER", "value": 1, "ignored": True},
        {"key": "b", "type": "TIMER", "value": numpy.float32(0.5), "tags": {"k": "v"}},
        {"key": "c", "type": "GAUGE", "value": True},
    ]
    assert meta.checked_metrics(given, "n", "metrics()") == [
        {"key": "a", "type": "COUNTER", "value": 1.0},
        {"key": "b", "type": "TIMER", "value": 0.5, "tags": {"k": "v"}},
        {"key": "c", "type": "GAUGE", "value": 1},
    ]
    assert meta.checked_metrics(None, "n", "metrics()") == []


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"key": "a"}, "metrics() must be a list of metrics, not dict"),
        (["a"], "metrics()[0] must be a dict, not str"),
        ([{"type": "GAUGE", "value": 1}], "metrics()[0] needs a `key` of text, not None"),
        ([{"key": "a", "type": "gauge", "value": 1}], "one of COUNTER, GAUGE, TIMER, not 'gauge'"),
        ([{"key": "a", "type": "GAUGE", "value": "1"}], "needs a number as `value`, not '1'"),
        ([{"key": "a", "type": "GAUGE", "value": None}], "needs a number as `value`, not None"),
        ([{"key": "a", "type": "GAUGE", "value": 1, "tags": {"k": 1}}], "`tags` that are no dict of text to text"),
        ([{"key": "a", "type": "GAUGE", "value": 1, "tags": ["k"]}], "`tags` that are no dict of text to text"),
    ],
)
def test_a_bad_metric_is_named(metrics: Any, words: str) -> None:
    with pytest.raises(ComponentError) as caught:
        meta.checked_metrics(metrics, "n", "metrics()")
    assert words in caught.value.message
    assert (caught.value.reason, caught.value.http_status) == ("MICROSERVICE_BAD_METRIC", 500)
