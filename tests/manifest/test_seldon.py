"""Tests `executor.manifest.seldon`: accepted forms, what they become, and every rule with path and line."""

import textwrap

import pytest

from executor import manifest
from executor.errors import ManifestError
from executor.graph.plan import compile_plan
from executor.graph.spec import Deployment, Endpoint, Logger, Node, NodeType, Parameter, Transport
from executor.manifest import Profile
from executor.manifest.document import read
from executor.manifest.profile import Terms
from executor.manifest.seldon import build, claims, predictors
from executor.manifest.shape import Report
from executor.types import Method

HEAD = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: d}
"""


def whole(body: str) -> str:
    """A manifest whose line 4 is the first line of `body`."""
    return HEAD + textwrap.dedent(body)


def problems(text: str, profile: Profile = Profile.CLUSTER) -> list[tuple[int | None, str, str]]:
    try:
        manifest.load_all(text, profile)
    except ManifestError as error:
        return [(each.line, each.path, each.message) for each in error.problems]
    return []


def loaded(text: str, profile: Profile = Profile.CLUSTER) -> Deployment:
    (deployment,) = manifest.load_all(text, profile)
    return deployment


def graph(text: str, profile: Profile = Profile.LOCAL) -> Node:
    return loaded(text, profile).predictors[0].graph


def local(unit: str) -> str:
    """A manifest with one predictor whose graph is `unit`, in line 7."""
    return whole(f"spec:\n  predictors:\n  - name: p\n    graph: {unit}\n")


# Forms


@pytest.mark.parametrize("version", ["v1", "v1alpha2", "v1alpha3"])
def test_versions(version: str) -> None:
    text = local("{name: m, type: MODEL}").replace("/v1", f"/{version}")
    assert graph(text).type is NodeType.MODEL


V1ALPHA2 = """\
apiVersion: machinelearning.seldon.io/v1alpha2
kind: SeldonDeployment
metadata:
  labels:
    app: seldon
  name: seldon-model
  namespace: models
  creationTimestamp: null
spec:
  annotations:
    project_name: FX Market Prediction
    deployment_version: v1
  name: test-deployment
  oauth_key: oauth-key
  oauth_secret: oauth-secret
  predictors:
  - componentSpecs:
    - metadata: {creationTimestamp: null}
      spec:
        containers:
        - image: example/classifier:1.0
          imagePullPolicy: IfNotPresent
          name: classifier
          resources: {requests: {memory: 1Mi}}
        terminationGracePeriodSeconds: 20
    graph:
      children: []
      name: classifier
      endpoint:
        type: REST
      type: MODEL
    name: example
    replicas: 1
    engineResources: {}
    annotations:
      predictor_version: v1
    labels:
      version: v1
"""


def test_a_manifest_in_full() -> None:
    deployment = loaded(V1ALPHA2)
    assert (deployment.name, deployment.namespace, deployment.line) == ("seldon-model", "models", 1)
    assert (deployment.protocol, deployment.transport, deployment.server_type) == ("seldon", "", "rpc")
    assert deployment.annotations["project_name"] == "FX Market Prediction"
    assert deployment.labels == {"app": "seldon"}
    (predictor,) = deployment.predictors
    assert (predictor.name, predictor.replicas, predictor.traffic, predictor.shadow) == ("example", 1, 0, False)
    assert (predictor.path, predictor.line) == ("spec.predictors[0]", 17)
    assert predictor.annotations == {"predictor_version": "v1"}
    assert predictor.labels == {"version": "v1"}
    assert predictor.pods[0]["spec"]["containers"][0]["resources"] == {"requests": {"memory": "1Mi"}}
    assert predictor.graph == Node(
        name="classifier",
        type=NodeType.MODEL,
        endpoint=Endpoint(type=Transport.REST),
        image="example/classifier:1.0",
        path="spec.predictors[0].graph",
        line=26,
    )


def test_the_old_single_pod_form() -> None:
    body = """\
    spec:
      predictors:
        name: p
        componentSpec:
          spec:
            containers: [{name: m, image: "m:1"}]
        graph: {name: m, type: MODEL}
    """
    assert graph(whole(body), Profile.CLUSTER).image == "m:1"


def test_children_as_list_or_mapping() -> None:
    body = """\
    spec:
      predictors:
      - name: p
        graph:
          name: step_one
          type: MODEL
          endpoint: {type: REST}
          children:
            name: step_two
            type: MODEL
            endpoint: {type: REST}
            children:
            - name: step_three
              type: MODEL
    """
    root = graph(whole(body))
    assert [(node.name, node.path, node.line) for node in root.walk()] == [
        ("step_one", "spec.predictors[0].graph", 7),
        ("step_two", "spec.predictors[0].graph.children", 11),
        ("step_three", "spec.predictors[0].graph.children.children[0]", 16),
    ]


def test_json_with_tabs() -> None:
    text = """\
{
\t"apiVersion": "machinelearning.seldon.io/v1alpha2", "kind": "SeldonDeployment",
\t"metadata": {"name": "d"},
\t"spec": {"predictors": [{
\t\t"name": "p",
\t\t"graph": {"name": "ab", "implementation": "RANDOM_ABTEST", "type": "UNKNOWN_TYPE", "endpoint": {},
\t\t\t"parameters": [{"name": "ratioA", "value": "0.5", "type": "FLOAT"}],
\t\t\t"children": [{"name": "a", "type": "MODEL", "children": []}, {"name": "b", "type": "MODEL"}]}
\t}]}
}
"""
    plan = compile_plan(loaded(text, Profile.LOCAL).predictors[0])
    assert plan.root.weights == (0.5, 0.5)
    assert [node.name for node in plan.nodes] == ["ab", "a", "b"]


def test_every_field_of_a_node() -> None:
    body = """\
    spec:
      protocol: seldon
      transport: grpc
      serverType: rpc
      replicas: 2
      predictors:
      - name: p
        traffic: 100
        progressDeadlineSeconds: 60
        ssl: {certSecretName: s}
        svcOrchSpec: {replicas: 1, resources: {limits: {cpu: 1}}, env: [{name: A, value: b}]}
        explainer: {type: AnchorTabular, modelUri: "gs://e", config: {a: "b"}, containerSpec: {name: e}}
        componentSpecs:
        - replicas: 1
          hpaSpec: {maxReplicas: 3}
          kedaSpec: {triggers: []}
          pdbSpec: {minAvailable: 1}
        graph:
          name: n
          implementation: SKLEARN_SERVER
          type: TRANSFORMER
          modelUri: gs://bucket/model
          serviceAccountName: sa
          envSecretRefName: secret
          storageInitializerImage: init:1
          logger: {mode: all, url: "http://logger"}
          endpoint: {service_host: host, service_port: 9000, httpPort: 9001, grpcPort: 9500, type: GRPC}
          methods: [SEND_FEEDBACK, TRANSFORM_OUTPUT, SEND_FEEDBACK]
          parameters: {name: method, type: STRING, value: predict}
    status: {state: Available}
    """
    deployment = loaded(whole(body))
    assert (deployment.transport, deployment.replicas, deployment.predictors[0].traffic) == ("grpc", 2, 100)
    node = deployment.predictors[0].graph
    assert node.type is NodeType.MODEL, "a prepackaged server is a model, whatever it says"
    assert node.methods == (Method.SEND_FEEDBACK, Method.TRANSFORM_OUTPUT)
    assert node.parameters == (Parameter("method", "predict", "STRING", "predict"),)
    assert node.endpoint == Endpoint("host", 9000, 9001, 9500, Transport.GRPC)
    assert (node.model_uri, node.logger) == ("gs://bucket/model", Logger("all", "http://logger"))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("{name: n}", NodeType.MODEL),
        ("{name: n, type: null}", NodeType.MODEL),
        ("{name: n, implementation: UNKNOWN_IMPLEMENTATION}", NodeType.MODEL),
        ("{name: n, implementation: ''}", NodeType.MODEL),
        ("{name: n, methods: [TRANSFORM_INPUT]}", NodeType.UNKNOWN_TYPE),
        ("{name: n, type: UNKNOWN_TYPE, methods: [TRANSFORM_INPUT]}", NodeType.UNKNOWN_TYPE),
        ("{name: n, type: ROUTER, children: [{name: c}]}", NodeType.ROUTER),
        ("{name: n, type: ROUTER, implementation: MY_SERVER}", NodeType.MODEL),
    ],
)
def test_default_types(unit: str, expected: NodeType) -> None:
    assert graph(local(unit)).type is expected


def test_typed_parameters_keep_their_text() -> None:
    unit = """{name: n, parameters: [
      {name: i, type: INT, value: "3"}, {name: f, type: FLOAT, value: 0.50}, {name: d, type: DOUBLE, value: 2},
      {name: s, type: STRING, value: 1.10}, {name: b, type: BOOL, value: true}, {name: e, type: STRING, value: ""}]}"""
    assert graph(local(unit)).parameters == (
        Parameter("i", 3, "INT", "3"),
        Parameter("f", 0.5, "FLOAT", "0.50"),
        Parameter("d", 2.0, "DOUBLE", "2"),
        Parameter("s", "1.10", "STRING", "1.10"),
        Parameter("b", True, "BOOL", "true"),
        Parameter("e", "", "STRING", ""),
    )


def test_claims_by_group_and_kind() -> None:
    assert claims("machinelearning.seldon.io/v1", "SeldonDeployment")
    assert claims("machinelearning.seldon.io/v7", "SeldonDeployment"), "so that the version is refused by name"
    assert not claims("apps/v1", "SeldonDeployment")
    assert not claims("machinelearning.seldon.io/v1", "Deployment")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("spec: {predictors: [{name: a}, {name: b}]}", ("a", "b")),
        ("spec: {predictors: {name: a}}", ("a",)),
        ("spec: {predictors: [3, {}, {name: 7}]}", ("", "7")),
        ("spec: {predictors: x}", ()),
        ("spec: [x]", ()),
        ("other: 1", ()),
    ],
)
def test_predictor_names_of_whatever_is_there(body: str, expected: tuple[str, ...]) -> None:
    (document,) = read(body)
    assert predictors(document) == expected


# Rules of shape


UNIT_FIELDS = (
    "name, children, type, implementation, methods, endpoint, parameters, modelUri, serviceAccountName, "
    "envSecretRefName, storageInitializerImage, logger"
)
TYPES = "MODEL, ROUTER, COMBINER, TRANSFORMER, OUTPUT_TRANSFORMER, UNKNOWN_TYPE"
METHODS = "TRANSFORM_INPUT, TRANSFORM_OUTPUT, ROUTE, AGGREGATE, SEND_FEEDBACK"


@pytest.mark.parametrize(
    ("unit", "path", "message"),
    [
        ("{type: MODEL}", "name", "required, but missing"),
        ("{name: ''}", "name", "must not be empty"),
        ("{name: on}", "name", "must be text, not the boolean true; put it in quotes"),
        ("{name: n, typ: MODEL}", "typ", f'unknown field "typ" (did you mean "type"?); allowed: {UNIT_FIELDS}'),
        ("{name: n, type: MODLE}", "type", f'"MODLE" is not allowed (did you mean "MODEL"?); allowed: {TYPES}'),
        ("{name: n, type: model}", "type", f'"model" is not allowed (did you mean "MODEL"?); allowed: {TYPES}'),
        (
            "{name: n, methods: [TRANSFORM]}",
            "methods[0]",
            f'"TRANSFORM" is not allowed (did you mean "TRANSFORM_INPUT"?); allowed: {METHODS}',
        ),
        (
            "{name: n, endpoint: {type: rest}}",
            "endpoint.type",
            '"rest" is not allowed (did you mean "REST"?); allowed: REST, GRPC',
        ),
        (
            "{name: n, endpoint: {serviceHost: h}}",
            "endpoint.serviceHost",
            'unknown field "serviceHost" (did you mean "service_host"?); '
            "allowed: service_host, service_port, type, httpPort, grpcPort",
        ),
        ("{name: n, logger: {url: u}}", "logger.mode", "required, but missing"),
        ("{name: n, logger: {mode: ''}}", "logger.mode", '"" is not allowed; allowed: request, response, all'),
        (
            "{name: n, logger: {mode: requests}}",
            "logger.mode",
            '"requests" is not allowed (did you mean "request"?); allowed: request, response, all',
        ),
        ("{name: n, parameters: [{name: a, value: b}]}", "parameters[0].type", "required, but missing"),
        (
            "{name: n, parameters: [{name: a, value: b, type: STR}]}",
            "parameters[0].type",
            '"STR" is not allowed (did you mean "STRING"?); allowed: INT, FLOAT, DOUBLE, STRING, BOOL',
        ),
        ("{name: n, parameters: [{name: a, type: INT}]}", "parameters[0].value", "required, but missing"),
        (
            "{name: n, parameters: [{name: a, type: INT, value: 1.5}]}",
            "parameters[0].value",
            '"1.5" is no INT; write a whole number',
        ),
        (
            "{name: n, parameters: {name: a, type: BOOL, value: x}}",
            "parameters.value",
            '"x" is no BOOL; allowed: true, false, yes, no, on, off, 1, 0',
        ),
        (
            "{name: n, parameters: [{name: a, type: STRING, value: [x]}]}",
            "parameters[0].value",
            "a list is no STRING",
        ),
        ("{name: n, children: {type: MODEL}}", "children.name", "required, but missing"),
        ("{name: n, children: [{name: c, children: 3}]}", "children[0].children", "must be a list, not the number 3"),
    ],
)
@pytest.mark.parametrize("profile", list(Profile))
def test_shape_of_a_node(unit: str, path: str, message: str, profile: Profile) -> None:
    found = [each for each in problems(local(unit), profile) if "no container" not in each[2]]
    assert found == [(7, f"spec.predictors[0].graph.{path}", message)]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "spec: {protocol: http, predictors: [{name: p, graph: {name: m}}]}",
            (4, "spec.protocol", '"http" is not allowed; allowed: seldon, tensorflow, v2, kfserving'),
        ),
        (
            "spec:\n  transport: REST\n  predictors: [{name: p, graph: {name: m}}]",
            (5, "spec.transport", '"REST" is not allowed (did you mean "rest"?); allowed: rest, grpc'),
        ),
        (
            "spec:\n  serverType: kafk\n  predictors: [{name: p, graph: {name: m}}]",
            (5, "spec.serverType", '"kafk" is not allowed (did you mean "kafka"?); allowed: rpc, kafka'),
        ),
        ("spec: {}", (4, "spec.predictors", "required, but missing")),
        (
            "spec:\n  predictors: []",
            (5, "spec.predictors", "the graph has no predictors; at least one is needed"),
        ),
        ("spec: {predictors: [{name: p}]}", (4, "spec.predictors[0].graph", "required, but missing")),
        (
            "spec: {predictors: [{graph: {name: m}}]}",
            (4, "spec.predictors[0].name", "required, but missing"),
        ),
        (
            "spec: {predictors: [{name: p, graph: {name: m}, traffic: all}]}",
            (4, "spec.predictors[0].traffic", 'must be a whole number, not "all"'),
        ),
        (
            "spec: {predictors: [{name: p, graph: {name: m}, shadow: 1}]}",
            (4, "spec.predictors[0].shadow", "must be true or false, not the number 1"),
        ),
        (
            "spec: {predictors: [{name: p, graph: {name: m}, annotations: {a/b: 1}}]}",
            (4, 'spec.predictors[0].annotations["a/b"]', "must be text, not the number 1; put it in quotes"),
        ),
        (
            "spec:\n  predictors:\n  - {name: p, graph: {name: m}}\n  - {name: p, graph: {name: m}}",
            (7, "spec.predictors[1].name", 'duplicate predictor name "p"; predictors[0] has it too'),
        ),
        ("spek: 1\nspec: {predictors: [{name: p, graph: {name: m}}]}", (4, "spek", "unknown field")),
    ],
)
def test_shape_of_a_deployment(body: str, problem: tuple[int, str, str]) -> None:
    (found,) = problems(whole(body), Profile.LOCAL)
    assert found[:2] == problem[:2]
    assert found[2].startswith(problem[2])


def test_versions_and_names_that_are_refused() -> None:
    text = local("{name: m}").replace("/v1", "/v1alpha1").replace("name: d", "namespace: d")
    assert problems(text, Profile.LOCAL) == [
        (
            1,
            "apiVersion",
            '"machinelearning.seldon.io/v1alpha1" is not allowed (did you mean "machinelearning.seldon.io/v1alpha3"?); '
            "allowed: machinelearning.seldon.io/v1, machinelearning.seldon.io/v1alpha2, "
            "machinelearning.seldon.io/v1alpha3",
        ),
        (3, "metadata.name", "required, but missing"),
    ]


def test_duplicate_keys() -> None:
    body = """\
    spec:
      predictors:
      - name: p
        graph:
          name: m
          type: MODEL
          name: other
    """
    assert problems(whole(body), Profile.LOCAL) == [
        (10, "spec.predictors[0].graph.name", 'duplicate key "name"; the first is in line 8')
    ]


# Rules of the graph


@pytest.mark.parametrize(
    ("unit", "path", "message"),
    [
        ("{name: n, type: ROUTER}", ".children", "a router needs at least one child"),
        ("{name: n, type: COMBINER, children: []}", ".children", "a combiner needs at least one child"),
        ("{name: n, methods: [ROUTE]}", ".children", "a router needs at least one child"),
        ("{name: n, type: UNKNOWN_TYPE}", ".type", "UNKNOWN_TYPE without methods does nothing"),
        ("{name: n, children: {name: n}}", ".children.name", 'the graph already has a node "n" (line 7)'),
        (
            "{name: n, implementation: RANDOM_ABTEST, children: [{name: a}]}",
            ".children",
            "RANDOM_ABTEST needs exactly 2 children, not 1",
        ),
        (
            "{name: n, implementation: RANDOM_ABTEST, children: [{name: a}, {name: b}], "
            "parameters: [{name: ratioA, type: FLOAT, value: '1.5'}]}",
            ".parameters",
            "ratioA must be a number from 0 to 1, not 1.5",
        ),
        ("{name: n, implementation: AVERAGE_COMBINER}", ".children", "AVERAGE_COMBINER needs at least one child"),
    ],
)
@pytest.mark.parametrize("profile", list(Profile))
def test_graph_rules_hold_in_both_profiles(unit: str, path: str, message: str, profile: Profile) -> None:
    found = [each for each in problems(local(unit), profile) if "no container" not in each[2]]
    ((line, where, text),) = found
    assert (line, where) == (7, f"spec.predictors[0].graph{path}")
    assert text.startswith(message)


def chain(length: int) -> str:
    unit = f"{{name: n{length}, implementation: SIMPLE_MODEL}}"
    for number in range(length - 1, 0, -1):
        unit = f"{{name: n{number}, implementation: SIMPLE_MODEL, children: {unit}}}"
    return unit


@pytest.mark.parametrize(("profile", "depth"), [(Profile.CLUSTER, 11), (Profile.LOCAL, 64)])
def test_depth(profile: Profile, depth: int) -> None:
    assert problems(local(chain(depth)), profile) == []
    path = "spec.predictors[0].graph" + ".children" * depth
    expected = [(7, path, f"the graph is more than {depth} levels deep")]
    assert problems(local(chain(depth + 1)), profile) == expected
    assert problems(local(chain(depth + 5)), profile) == expected


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


@pytest.mark.parametrize("name", ["SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER"])
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
        "SIMPLE_MODEL, SIMPLE_ROUTER, RANDOM_ABTEST, AVERAGE_COMBINER, SKLEARN_SERVER, XGBOOST_SERVER, "
        "MLFLOW_SERVER, TENSORFLOW_SERVER, TRITON_SERVER, HUGGINGFACE_SERVER, TEMPO_SERVER"
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
        (9, "spec.predictors[0].graph.children"),
        (10, "spec.predictors[0].graph.name"),
        (12, "spec.predictors[0].graph.parameters[0].value"),
        (13, "spec.predictors[1].name"),
        (14, "spec.predictors[1].shadow"),
        (16, "spec.predictors[1].graph.name"),
        (17, "spec.predictors[1].graph.childern"),
        (19, "spec.predictors[1].graph.type"),
        (24, "spec.predictors"),
    ]
