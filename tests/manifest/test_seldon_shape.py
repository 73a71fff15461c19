"""Tests `executor.manifest.seldon`: every rule of shape, with path and line."""

import pytest
from support.manifests import local, problems, whole

from executor.manifest import Profile

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


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("{name: n, type: ROUTER}", "a router needs at least one child"),
        ("{name: n, type: COMBINER, children: []}", "a combiner needs at least one child"),
        ("{name: n, methods: [ROUTE]}", "a router needs at least one child"),
    ],
)
def test_a_router_without_children_is_a_mistake_by_our_rules_alone(unit: str, message: str) -> None:
    assert problems(local(unit), Profile.LOCAL) == [(7, "spec.predictors[0].graph.children", message)]
    assert [text for _, _, text in problems(local(unit), Profile.CLUSTER) if "no container" not in text] == []


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
