"""Tests `executor.manifest.seldon`: Seldon's own rules, and ours for local runs, with path and line."""

import textwrap

import pytest
from support.manifests import HEAD, loaded, local, problems, whole

from executor.manifest import Profile
from executor.manifest.document import read
from executor.manifest.profile import Terms
from executor.manifest.seldon import build
from executor.manifest.shape import Report

# Seldon's own rules


def cluster(predictor: str, deployment: str = "") -> list[tuple[int | None, str, str]]:
    """Problems of a manifest; `deployment` is lines from 5 on, the (only) predictor's follow."""
    return problems(HEAD + "spec:\n" + textwrap.indent(deployment, "  ") + "  predictors:\n" + predictor)


def test_a_node_needs_a_container() -> None:
    body = """\
    spec:
      predictors:
      - name: p
        componentSpecs:
        - spec: {containers: [{name: modell, image: x}, {name: other}]}
        - spec: {}
        - {}
        graph:
          name: model
          children:
            name: second
            implementation: UNKNOWN_IMPLEMENTATION
    """
    where = "spec.predictors[0].graph"
    assert problems(whole(body)) == [
        (12, f"{where}.name", 'no container is named "model" (did you mean "modell"?); containers: modell, other'),
        (14, f"{where}.children.name", 'no container is named "second"; containers: modell, other'),
    ]
    assert problems(whole(body), Profile.LOCAL) == []


def test_without_any_pods_there_are_no_containers() -> None:
    assert problems(local("{name: m}")) == [
        (7, "spec.predictors[0].graph.name", 'no container is named "m"; there are no containers')
    ]


@pytest.mark.parametrize("name", ["SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER", "UCB1"])
def test_builtins_need_no_container(name: str) -> None:
    model = "implementation: SIMPLE_MODEL"
    unit = f"{{name: n, implementation: {name}, children: [{{name: a, {model}}}, {{name: b, {model}}}]}}"
    assert problems(local(unit)) == []


def test_servers_need_a_model_uri_and_have_to_be_known() -> None:
    where = "spec.predictors[0].graph"
    assert problems(local("{name: n, implementation: SKLEARN_SERVER}")) == [
        (7, f"{where}.modelUri", "SKLEARN_SERVER needs a modelUri")
    ]
    assert problems(local("{name: n, implementation: HUGGINGFACE_SERVER}")) == []
    assert problems(local("{name: n, implementation: XGBOOST_SERVER, modelUri: 'gs://m'}")) == []
    known = (
        "SIMPLE_MODEL, SIMPLE_ROUTER, RANDOM_ABTEST, AVERAGE_COMBINER, EPSILON_GREEDY, THOMPSON_SAMPLING, UCB1, "
        "EXP3, SKLEARN_SERVER, XGBOOST_SERVER, MLFLOW_SERVER, TENSORFLOW_SERVER, TRITON_SERVER, "
        "HUGGINGFACE_SERVER, TEMPO_SERVER"
    )
    assert problems(local("{name: n, implementation: SKLERN_SERVER, modelUri: 'gs://m'}")) == [
        (
            7,
            f"{where}.implementation",
            f'no server is known as "SKLERN_SERVER" (did you mean "SKLEARN_SERVER"?); allowed: {known}',
        )
    ]


def test_custom_servers_are_known_by_their_image_or_by_the_cluster() -> None:
    unit = "{name: n, implementation: MY_SERVER, modelUri: 'gs://m'}"
    body = whole(f"""\
    spec:
      predictors:
      - name: p
        componentSpecs: [{{spec: {{containers: [{{name: n, image: "mine:1"}}]}}}}]
        graph: {unit}
    """)
    assert problems(body) == []
    assert len(problems(body.replace(', image: "mine:1"', ""))) == 1
    assert len(problems(body.replace(", modelUri: 'gs://m'", ""))) == 1
    (document,) = read(local(unit))
    report = Report(document)
    build(report, Terms(servers=["MY_SERVER"]))
    assert report.problems == []


@pytest.mark.parametrize("server", ["SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER"])
def test_servers_that_do_not_speak_tensorflow(server: str) -> None:
    predictor = f"  - {{name: p, graph: {{name: n, implementation: {server}, modelUri: 'gs://m'}}}}\n"
    assert cluster(predictor, "protocol: tensorflow\n") == [
        (7, "spec.predictors[0].graph.implementation", f"{server} does not speak protocol tensorflow")
    ]
    assert cluster(predictor.replace(server, "TENSORFLOW_SERVER"), "protocol: tensorflow\n") == []
    assert cluster(predictor, "protocol: v2\n") == []


SIMPLE = "graph: {name: m, implementation: SIMPLE_MODEL}"


def predictor(name: str, more: str = "") -> str:
    return f"  - {{name: {name}, {SIMPLE}{', ' + more if more else ''}}}\n"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (predictor("a"), []),
        (predictor("a", "traffic: 100"), []),
        (predictor("a", "traffic: 0"), []),
        (
            predictor("a", "traffic: 40"),
            [(6, "spec.predictors[0].traffic", "traffic of a single predictor must be 100 when it is set, not 40")],
        ),
        (predictor("a", "traffic: 60") + predictor("b", "traffic: 40"), []),
        (
            predictor("a", "traffic: 60") + predictor("b", "traffic: 30"),
            [(5, "spec.predictors", "traffic of the predictors must sum to 100, not 90")],
        ),
        (
            predictor("a") + predictor("b"),
            [(5, "spec.predictors", "traffic of the predictors must sum to 100, not 0")],
        ),
        (predictor("a") + predictor("b", "shadow: true"), []),
        (predictor("a") + predictor("b", "shadow: true, traffic: 50"), []),
        (
            predictor("a", "shadow: true"),
            [(6, "spec.predictors[0].shadow", "the only predictor cannot be a shadow")],
        ),
        (
            predictor("a") + predictor("b", "shadow: true") + predictor("c", "shadow: true"),
            [(8, "spec.predictors[2].shadow", "only one predictor can be a shadow")],
        ),
        (
            predictor("a") + predictor("b", "shadow: true, traffic: 101"),
            [(7, "spec.predictors[1].traffic", "traffic of a shadow must be 0 to 100, not 101")],
        ),
        (
            predictor("a") + predictor("b", "shadow: true, traffic: -1"),
            [(7, "spec.predictors[1].traffic", "traffic of a shadow must be 0 to 100, not -1")],
        ),
        (
            predictor("a", "traffic: x") + predictor("b", "traffic: 50"),
            [(6, "spec.predictors[0].traffic", 'must be a whole number, not "x"')],
        ),
    ],
)
def test_traffic_and_shadows(listed: str, expected: list[tuple[int, str, str]]) -> None:
    assert cluster(listed) == expected


def test_traffic_is_no_matter_of_a_local_run() -> None:
    assert problems(HEAD + "spec:\n  predictors:\n" + predictor("a", "traffic: 3"), Profile.LOCAL) == []


def test_no_engine_wants_a_single_node() -> None:
    annotated = 'annotations: {seldon.io/no-engine: "false"}'
    assert cluster(predictor("a", annotated)) == []
    deep = f"  - {{name: a, graph: {{name: m, implementation: SIMPLE_MODEL, children: {{name: k}}}}, {annotated}}}\n"
    found = cluster(deep.replace("{name: k}", "{name: k, implementation: SIMPLE_MODEL}"))
    where = 'spec.predictors[0].annotations["seldon.io/no-engine"]'
    assert found == [(6, where, "a graph of more than one node cannot run without the engine")]


def test_service_names_are_used_once() -> None:
    named = 'traffic: 50, annotations: {seldon.io/svc-name: "s"}'
    found = cluster(predictor("a", named) + predictor("b", named))
    message = 'service name "s" is used by more than one predictor'
    assert found == [
        (6, 'spec.predictors[0].annotations["seldon.io/svc-name"]', message),
        (7, 'spec.predictors[1].annotations["seldon.io/svc-name"]', message),
    ]
    assert cluster(predictor("a", named) + predictor("b", named.replace('"s"', '"t"'))) == []


def test_kafka_needs_its_environment() -> None:
    env = "svcOrchSpec: {env: [{name: KAFKA_BROKER, value: b}, {name: KAFKA_INPUT_TOPIC, value: i}]}"
    assert cluster(predictor("a", env), "serverType: kafka\n") == [
        (7, "spec.predictors[0].svcOrchSpec.env", "serverType kafka needs KAFKA_OUTPUT_TOPIC in svcOrchSpec.env")
    ]
    assert cluster(predictor("a"), "serverType: kafka\n") == [
        (
            7,
            "spec.predictors[0].svcOrchSpec.env",
            "serverType kafka needs KAFKA_BROKER, KAFKA_INPUT_TOPIC, KAFKA_OUTPUT_TOPIC in svcOrchSpec.env",
        )
    ]
    complete = env.replace("value: i}]", "value: i}, {name: KAFKA_OUTPUT_TOPIC, value: o}]")
    assert cluster(predictor("a", complete), "serverType: kafka\n") == []


@pytest.mark.parametrize("protocol", ["tensorflow", "v2", "kfserving"])
def test_other_protocols_are_for_the_cluster_only(protocol: str) -> None:
    text = HEAD + f"spec:\n  protocol: {protocol}\n  predictors:\n" + predictor("a")
    assert problems(text) == []
    message = f"protocol {protocol} is not supported by millrace run; allowed: seldon"
    assert problems(text, Profile.LOCAL) == [(5, "spec.protocol", message)]


def test_protocol_and_transport_of_a_predictor_have_no_effect() -> None:
    text = HEAD + "spec:\n  predictors:\n" + predictor("a", "protocol: tensorflow, transport: grpc")
    deployment = loaded(text)
    assert (deployment.protocol, deployment.transport) == ("seldon", "")
    message = "protocol tensorflow is not supported by millrace run; allowed: seldon"
    assert problems(text, Profile.LOCAL) == [(6, "spec.predictors[0].protocol", message)]
    assert problems(text.replace("tensorflow", "seldon"), Profile.LOCAL) == []


def test_kafka_is_for_the_cluster_only() -> None:
    text = HEAD + "spec:\n  serverType: kafka\n  predictors:\n" + predictor("a")
    message = "serverType kafka is not supported by millrace run; allowed: rpc"
    assert problems(text, Profile.LOCAL) == [(5, "spec.serverType", message)]


def test_all_errors_of_a_file_at_once_from_top_to_bottom() -> None:
    body = """\
    spec:
      protocl: v2
      predictors:
      - name: p
        traffic: 50
        graph:
          name: a
          type: ROUTER
          parameters: [{name: n, type: INT, value: x}]
      - name: p
        shadow: yess
        graph:
          name: b
          childern: [{name: c}]
          type: COMBINER
          type: MODEL
    ---
    kind: SeldonDeployment
    apiVersion: machinelearning.seldon.io/v1
    metadata: {name: second}
    spec: {predictors: []}
    """
    found = [(line, path) for line, path, _ in problems(whole(body))]
    assert found == [
        (5, "spec.protocl"),
        (10, "spec.predictors[0].graph.name"),
        (12, "spec.predictors[0].graph.parameters[0].value"),
        (13, "spec.predictors[1].name"),
        (14, "spec.predictors[1].shadow"),
        (16, "spec.predictors[1].graph.name"),
        (17, "spec.predictors[1].graph.childern"),
        (19, "spec.predictors[1].graph.type"),
        (24, "spec.predictors"),
    ]
