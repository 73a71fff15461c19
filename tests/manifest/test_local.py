"""Tests `executor.manifest.local`."""

from collections.abc import Collection

import pytest

from executor import manifest
from executor.errors import ManifestError
from executor.manifest import Profile, servers

TEXT = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: d}
spec:
  predictors:
"""


def missing(
    units: str | list[str], reached: Collection[str], predictor: str | None = None, prepackaged: bool = False
) -> list[tuple[str, str]]:
    """Path (below the predictors) and message of each problem of a manifest with these graphs."""
    listed = [units] if isinstance(units, str) else units
    text = TEXT + "".join(f"  - {{name: p{n}, graph: {unit}}}\n" for n, unit in enumerate(listed))
    try:
        if predictor is None:
            manifest.load_all(text, Profile.LOCAL, reached, prepackaged)
        else:
            manifest.load(text, Profile.LOCAL, predictor=predictor, reached=reached)
    except ManifestError as error:
        assert all(each.line is not None for each in error.problems)
        return [(each.path.removeprefix("spec.predictors"), each.message) for each in error.problems]
    return []


GRAPH = "{name: r, type: ROUTER, children: [{name: a}, {name: b, children: {name: c, type: TRANSFORMER}}]}"


def neither(name: str) -> str:
    return f'node "{name}" has neither a component nor an endpoint'


def test_each_node_left_without_is_named() -> None:
    assert missing(GRAPH, []) == [
        ("[0].graph", neither("r")),
        ("[0].graph.children[0]", neither("a")),
        ("[0].graph.children[1]", neither("b")),
        ("[0].graph.children[1].children", neither("c")),
    ]
    assert missing(GRAPH, ["r", "b"]) == [
        ("[0].graph.children[0]", neither("a")),
        ("[0].graph.children[1].children", neither("c")),
    ]
    assert missing(GRAPH, ["a", "b", "c", "r"]) == []


def test_an_address_in_the_manifest_will_do() -> None:
    assert missing("{name: a, endpoint: {service_host: localhost, service_port: 9000}}", []) == []
    assert missing("{name: a, endpoint: {service_host: localhost, grpcPort: 9000}}", []) == []
    assert missing("{name: a, endpoint: {type: REST}}", []) == [("[0].graph", neither("a"))]
    assert missing("{name: a, endpoint: {service_port: 9000}}", []) == [("[0].graph", neither("a"))]


@pytest.mark.parametrize(
    "unit",
    [
        "{name: n, implementation: SIMPLE_MODEL}",
        "{name: n, implementation: SIMPLE_ROUTER, children: [{name: a}, {name: b}]}",
        "{name: n, implementation: RANDOM_ABTEST, type: ROUTER, children: [{name: a}, {name: b}]}",
        "{name: n, implementation: AVERAGE_COMBINER, children: [{name: a}, {name: b}]}",
    ],
)
def test_builtins_need_nothing_and_take_nothing(unit: str) -> None:
    children = [name for name in ("a", "b") if f"name: {name}" in unit]
    implementation = unit.split("implementation: ")[1].split(",")[0].rstrip("}")
    assert missing(unit, children) == []
    assert missing(unit, [*children, "n"]) == [
        ("[0].graph", f'node "n" ({implementation}) is never called, so it takes no component or endpoint')
    ]


def test_methods_of_a_builtin_need_somebody_to_call() -> None:
    unit = "{name: n, implementation: SIMPLE_MODEL, methods: [TRANSFORM_OUTPUT]}"
    assert missing(unit, ["n"]) == []
    assert missing(unit, []) == [("[0].graph", neither("n"))]


def test_an_implementation_that_is_no_builtin_is_named() -> None:
    assert missing("{name: n, implementation: SIMPEL_MODEL, modelUri: x}", []) == [
        ("[0].graph", neither("n") + '; SIMPEL_MODEL is no built-in (did you mean "SIMPLE_MODEL"?)')
    ]
    assert missing("{name: n, implementation: SKLEARN_SERVER, modelUri: x}", []) == [
        ("[0].graph", neither("n") + "; SKLEARN_SERVER runs here only where that is asked for")
    ]


@pytest.mark.parametrize("name", servers.HERE)
def test_prepackaged_servers_need_a_model_alone(name: str) -> None:
    unit = f"{{name: n, implementation: {name}, modelUri: x}}"
    assert missing(unit, [], prepackaged=True) == []
    assert missing(unit, ["n"], prepackaged=True) == []
    assert missing(f"{{name: n, implementation: {name}}}", [], prepackaged=True) == [
        ("[0].graph", neither("n") + f"; {name} needs a modelUri to run here")
    ]


SERVER = "{{name: n, implementation: {}, modelUri: '{}', parameters: [{{name: {}, value: {}, type: STRING}}]}}"


@pytest.mark.parametrize(
    ("name", "uri", "parameter", "value", "at", "told"),
    [
        (
            "SKLEARN_SERVER", "x", "method", "predict_prob", ".parameters",
            "cannot be 'predict_prob' (did you mean \"predict_proba\"?); allowed: predict_proba, predict",
        ),
        ("MLFLOW_SERVER", "x", "xtype", "frame", ".parameters", "allowed: ndarray, DataFrame"),
        ("XGBOOST_SERVER", "x", "method", "predict", ".parameters", "takes no parameter 'method'; allowed: none"),
        ("ONNX_SERVER", "hdfs://x/y", "output", "p", ".modelUri", "hdfs:// is not known; allowed are a path"),
        ("ONNX_SERVER", "pvc://x/y", "output", "p", ".modelUri", "a volume claim is mounted by the cluster"),
        ("ONNX_SERVER", "s3://", "output", "p", ".modelUri", "s3://: the bucket is missing"),
    ],
)  # fmt: skip
def test_what_can_be_told_of_servers_beforehand(
    name: str, uri: str, parameter: str, value: str, at: str, told: str
) -> None:
    ((path, message),) = missing(SERVER.format(name, uri, parameter, value), [], prepackaged=True)
    assert path == f"[0].graph{at}"
    assert told in message
    assert missing(SERVER.format(name, uri, parameter, value), ["n"], prepackaged=True) == []


def test_servers_as_they_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RCLONE_CONFIG_MINIO_TYPE", "s3")
    assert missing(SERVER.format("SKLEARN_SERVER", "minio://b/k", "method", "predict"), [], prepackaged=True) == []
    assert missing(SERVER.format("ONNX_SERVER", "s3://b/k", "output", "anything"), [], prepackaged=True) == []


def test_ports_that_are_none() -> None:
    unit = "{name: n, endpoint: {service_host: h, service_port: 99999, httpPort: -1, grpcPort: 65535}}"
    assert missing(unit, []) == [
        ("[0].graph.endpoint.service_port", "99999 is no port; allowed: 1 to 65535"),
        ("[0].graph.endpoint.httpPort", "-1 is no port; allowed: 1 to 65535"),
    ]


@pytest.mark.parametrize("name", servers.ELSEWHERE)
def test_other_servers_are_containers_of_their_own(name: str) -> None:
    unit = f"{{name: n, implementation: {name}, modelUri: x}}"
    assert missing(unit, ["n"], prepackaged=True) == []
    assert missing(unit, [], prepackaged=True) == [
        ("[0].graph", neither("n") + f"; {name} runs in a container of its own; say where it is (--endpoint)")
    ]


def test_names_that_are_no_nodes() -> None:
    nodes = "; nodes: r, a, b, c"
    assert missing(GRAPH, ["r", "a", "c", "bb", "zzz"]) == [
        ("", f'a component or endpoint is given for "bb", which is no node (did you mean "b"?){nodes}'),
        ("", f'a component or endpoint is given for "zzz", which is no node{nodes}'),
        ("[0].graph.children[1]", neither("b")),
    ]
    # A misspelled override of what the manifest says.
    unit = "{name: model, endpoint: {service_host: localhost, service_port: 9000}}"
    assert missing(unit, ["modle"]) == [
        ("", 'a component or endpoint is given for "modle", which is no node (did you mean "model"?); nodes: model')
    ]


def test_nodes_that_may_come_can_be_given_before_they_are_there() -> None:
    assert missing(GRAPH, ["r", "a", "b", "c", "bb", "zzz"]) == []
    selected = manifest.load(TEXT + f"  - {{name: p, graph: {GRAPH}}}\n", reached=["r", "a", "b", "c", "bb", "zzz"])
    assert manifest.unused(selected.predictor.graph, ["r", "a", "b", "c", "bb", "zzz"]) == ["bb", "zzz"]


def test_nodes_that_a_changed_file_has_no_more() -> None:
    text = TEXT + "  - {name: p, graph: {name: model, implementation: SIMPLE_MODEL}}\n"
    selected = manifest.load(text, reached=["model", "modle"], changed=True)
    assert manifest.unused(selected.predictor.graph, ["model", "modle"]) == ["model", "modle"]
    with pytest.raises(ManifestError, match='"model" has neither a component nor an endpoint'):
        manifest.load(text.replace(", implementation: SIMPLE_MODEL", ""), reached=["modle"], changed=True)


def test_only_the_predictor_to_be_run_counts() -> None:
    units = ["{name: a}", "{name: b}"]
    assert missing(units, ["a"], predictor="p0") == []
    assert missing(units, ["a"]) == [("[1].graph", neither("b"))]
    assert missing(units, ["b"], predictor="p0") == [
        ("", 'a component or endpoint is given for "b", which is no node; nodes: a'),
        ("[0].graph", neither("a")),
    ]


def test_silent_where_the_node_could_not_be_read() -> None:
    found = missing("{name: a, childern: {name: b}}", ["a", "b"])
    assert [path for path, _ in found] == ["[0].graph.childern"]
    found = missing("{name: 7, endpoint: {type: REST}}", [])
    assert [path for path, _ in found] == ["[0].graph.name"]


def test_the_rule_can_be_left_out() -> None:
    text = TEXT + "  - {name: p, graph: {name: a}}\n"
    assert len(manifest.load_all(text, Profile.LOCAL)) == 1
