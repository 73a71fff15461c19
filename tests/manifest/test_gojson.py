"""A predictor's JSON as Go reads it: what is taken, and what it comes to."""

import json
from typing import Any

import pytest
from support.containers import unit

from executor import errors, manifest
from executor.graph.plan import compile_plan
from executor.graph.spec import Endpoint, Logger, NodeType, Predictor
from executor.manifest import gojson
from executor.types import Method

MODEL = unit("m", rest="http://127.0.0.1:1")


def load(graph: Any, **more: Any) -> Predictor:
    text = json.dumps({"name": "main", "graph": graph, **more})
    return manifest.load_predictor(text, reached=[], lenient=True, source="P")


def test_names_count_in_any_case_and_the_last_one_wins() -> None:
    text = '{"NAME":"x","Name":"main","GRAPH":{"nAmE":"m","TYPE":"MODEL","Endpoint":{"SERVICE_HOST":"h","httpport":1}}}'
    built = manifest.load_predictor(text, reached=[], lenient=True)
    assert (built.name, built.graph.name, built.graph.endpoint) == ("main", "m", Endpoint("h", 0, 1))


def test_nulls_are_not_there_and_unknown_fields_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    graph = MODEL | {"children": None, "methods": None, "logger": None, "novelty": [1]}
    built = load(graph, labels={"a": None}, annotations=None, oddity=None, protocol=7)
    assert (built.labels, built.annotations, built.graph.children) == ({"a": ""}, {}, ())
    assert caplog.messages == ["P: unknown fields are passed over: graph.novelty, oddity"]


def test_what_a_manifest_has_to_say_may_be_missing() -> None:
    pod = {"hpaSpec": {}, "kedaSpec": {}, "spec": {"containers": [{"name": "m"}]}}
    built = manifest.load_predictor(
        json.dumps({"graph": {**MODEL, "name": "", "children": [{**MODEL, "name": None}]}, "componentSpecs": [pod]}),
        reached=[], lenient=True,
    )  # fmt: skip
    assert (built.name, built.graph.name, built.graph.children[0].name) == ("", "graph", "graph.children[0]")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "there is no type"),
        ({"type": ""}, "there is no type"),
        ({"type": "model"}, 'type "model" is unknown'),
        ({"type": "ROUTE", "implementation": "UNKNOWN_IMPLEMENTATION"}, 'type "ROUTE" is unknown'),
    ],
)
def test_a_node_of_no_type_is_not_called(caplog: pytest.LogCaptureFixture, said: Any, told: str) -> None:
    built = load({"name": "n", "children": [MODEL], **said})
    assert built.graph.type is NodeType.UNKNOWN_TYPE
    (message,) = caplog.messages
    assert message.startswith(f'P: node "n" is not called: {told}; allowed: MODEL, ROUTER, ')


def test_texts_that_mean_nothing_have_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    graph = MODEL | {"methods": ["FLY", "SEND_FEEDBACK"], "logger": {"mode": "some"}}
    graph["endpoint"] = {**graph["endpoint"], "type": "rest"}
    built = load(graph | {"children": [{**MODEL, "name": "k", "logger": {"url": "http://x"}}]})
    assert (built.graph.methods, built.graph.logger, built.graph.endpoint.type) == ((Method.SEND_FEEDBACK,), None, None)
    assert built.graph.children[0].logger is None
    assert [message.partition("; allowed: ")[0] for message in caplog.messages] == [
        'P: graph.methods: "FLY" has no effect',
        'P: graph.endpoint.type: "rest" has no effect',
        'P: graph.logger.mode: "some" has no effect',
    ]
    assert load(MODEL | {"logger": {"mode": "all"}}).graph.logger == Logger("all")


def test_parameters_are_looked_at_by_nobody() -> None:
    parameters = [{"name": "a", "type": "INT", "value": "x"}, {"name": "b", "type": "COLOUR", "value": "1"}, {}]
    built = load(MODEL | {"parameters": [*parameters, {"name": "c", "type": "INT", "value": "1"}, {"name": "d"}]})
    assert {each.name: each.value for each in built.graph.parameters} == {"a": "x", "b": "1", "c": 1, "d": ""}


@pytest.mark.parametrize(("said", "share"), [("1.5", 1.0), ("-1", 0.0), ("nan", 0.0), ("inf", 1.0), ("0.25", 0.25)])
def test_a_share_beyond_its_range_means_always_or_never(said: str, share: float) -> None:
    children = [unit(name, rest="http://127.0.0.1:1") for name in ("a", "b")]
    parameters = [{"name": "ratioA", "type": "FLOAT", "value": said}]
    root = {"name": "ab", "implementation": "RANDOM_ABTEST", "parameters": parameters, "children": children}
    plan = compile_plan(load(root))
    assert plan.root.weights == (share, 1 - share)


def test_an_empty_host_is_this_one() -> None:
    built = load({"name": "m", "type": "MODEL", "endpoint": {"httpPort": 9000, "service_host": ""}})
    assert built.graph.endpoint == Endpoint(gojson.LOCALHOST, 0, 9000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "graph: required, but missing"),
        ("7", "must be a mapping, not the number 7"),
        ('{"graph": [1]}', "graph: must be a mapping, not a list"),
        ('{"graph": {"name": 1}}', "graph.name: must be text"),
        ('{"graph": {"name": "m", "type": 1}}', "graph.type: the number 1 is not allowed"),
        ('{"graph": {"name": "m", "methods": [1]}}', "graph.methods[0]: the number 1 is not allowed"),
        ('{"graph": {"name": "m", "children": {"name": 7}}}', "name: must be text"),
        ('{"graph": {"name": "m", "logger": {"mode": 1}}}', "graph.logger.mode: the number 1 is not allowed"),
        ('{"graph": {"name": "m"}, "replicas": 1.5}', "replicas: must be a whole number"),
        (
            '{"graph": {"name": "m", "type": "MODEL", "endpoint": {"httpPort": "9"}}}',
            "httpPort: must be a whole number",
        ),
        ('{"graph": {"name": "m", "type": "MODEL"}}', "has neither a component nor an endpoint"),
        ('{"graph": {"name": "m", "parameters": [7]}}', "graph.parameters[0]: must be a mapping"),
        ('{"graph":' + '{"children":[' * 300 + "]}" * 300 + "}", "nested"),
        ('{"graph":' + '{"children":[' * 100_000 + "]}" * 100_000 + "}", "nested too deep"),
    ],
)
def test_what_go_refuses_or_cannot_serve_is_refused(text: str, said: str) -> None:
    with pytest.raises(errors.ManifestError) as caught:
        manifest.load_predictor(text, reached=[], lenient=True)
    assert said in str(caught.value)
