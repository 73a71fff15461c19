"""Tests `scaling`: metrics of the old form become those of the new one."""

from typing import Any

import pytest
import yaml
from support.resources import ONE, made, of_kind

METRIC = {"name": "m", "selector": {"matchLabels": {"a": "b"}}}
OBJECT = {"kind": "Service", "name": "s"}


def metrics(**spec: Any) -> Any:
    text = yaml.safe_dump({"hpaSpec": {"maxReplicas": 2, **spec}}, default_flow_style=True, width=10_000).strip()[1:-1]
    objects = made(ONE.replace("  - spec:", f"  - {text}\n    spec:"))
    return of_kind(objects, "HorizontalPodAutoscaler")["iris-main-0-model"]["spec"].get("metrics")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu", "targetAverageValue": "1"}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "1"}}},
        ),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "cpu", "container": "c", "targetAverageUtilization": 5},
            },
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "cpu",
                    "container": "c",
                    "target": {"type": "Utilization", "averageUtilization": 5},
                },
            },
        ),
        (
            {"type": "Pods", "pods": {"metricName": "m", "selector": METRIC["selector"], "targetAverageValue": 5}},
            {"type": "Pods", "pods": {"metric": METRIC, "target": {"type": "AverageValue", "averageValue": 5}}},
        ),
        (
            {"type": "Object", "object": {"target": OBJECT, "metricName": "m", "targetValue": 0, "averageValue": 3}},
            {
                "type": "Object",
                "object": {
                    "describedObject": OBJECT,
                    "metric": {"name": "m"},
                    "target": {"type": "AverageValue", "averageValue": 3},
                },
            },
        ),
        (
            {"type": "External", "external": {"metricName": "m", "targetAverageValue": 3}},
            {
                "type": "External",
                "external": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": 3}},
            },
        ),
        ({"type": "Unheard", "unheard": {"of": 1}}, {"type": "Unheard", "unheard": {"of": 1}}),
    ],
)
def test_each_kind_of_metric(old: Any, new: Any) -> None:
    assert metrics(metrics=[old]) == [new]


def test_old_metrics_win_over_new_ones() -> None:
    old = {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 1}}
    new = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization"}}}
    assert [each["resource"]["name"] for each in metrics(metrics=[old], metricsv2=[new])] == ["cpu"]
    assert metrics(metricsv2=[new]) == [new]
    assert metrics() is None
