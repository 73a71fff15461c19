"""Tests `executor.manifest.seldon`: accepted forms, and what they become."""

import pytest
from support.manifests import graph, loaded, local, whole

from executor.graph.plan import compile_plan
from executor.graph.spec import Endpoint, Logger, Node, NodeType, Parameter, Transport
from executor.manifest import Profile
from executor.manifest.document import read
from executor.manifest.seldon import claims, predictors
from executor.types import Method

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
