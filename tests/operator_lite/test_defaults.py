"""Tests `defaults`: what is filled in, and with it `containers`, which says it to nodes."""

import pytest
from support.resources import CONFIG, ONE, container, made, of_kind, scope_of, sdep, variables

from operator_lite import defaults, resource
from operator_lite.defaults import port, units

TWO = """\
predictors:
- name: one
  traffic: 50
  componentSpecs:
  - spec: {containers: [{name: a, image: "a:1"}, {name: b, image: "b:1"}]}
  - spec: {containers: [{name: far, image: "f:1"}]}
  graph:
    name: a
    type: TRANSFORMER
    children: [{name: b, type: TRANSFORMER, endpoint: {type: GRPC}, children: [{name: far}]}]
- name: two
  traffic: 50
  componentSpecs:
  - spec: {containers: [{name: b, image: "b:2", ports: [{name: grpc, containerPort: 7}]}, {name: c, image: "c:2"}]}
  graph: {name: b, type: TRANSFORMER, children: [{name: c}]}
"""


def test_ports_run_over_the_whole_resource_and_stay_with_a_containers_name() -> None:
    filled = defaults.filled(resource.read(sdep(TWO), CONFIG), CONFIG)
    found = [
        (name, *(port(each, kind) for kind in ("http", "grpc", "metrics")))
        for predictor in filled.spec.predictors
        for name, each in predictor.containers().items()
    ]
    assert found == [
        ("a", 9000, 9500, 6000),
        ("b", 9001, 9501, 6001),
        ("far", 9002, 9502, 6002),
        ("b", 9001, 7, 6003),
        ("c", 9003, 9503, 6004),
    ]


def listed(ports: str) -> list[tuple[str, int]]:
    """The ports of a node that writes some down itself."""
    spec = ONE.replace('image: "model:1"', f'image: "model:1", ports: {ports}')
    (deployment,) = of_kind(made(spec), "Deployment").values()
    found = container(deployment, "model")
    keys = [(each["containerPort"], each.get("protocol", "TCP")) for each in found["ports"]]
    assert len(keys) == len(set(keys))
    said = variables(found)
    kinds = {"http": "HTTP_SERVICE", "grpc": "GRPC_SERVICE", "metrics": "METRICS_SERVICE"}
    told = {name: int(said[f"PREDICTIVE_UNIT_{kind}_PORT"]) for name, kind in kinds.items()}
    assert told.items() <= {(each.get("name"), each["containerPort"]) for each in found["ports"]}
    return [(each.get("name", ""), each["containerPort"]) for each in found["ports"]]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ("[{containerPort: 9000}]", [("http", 9000), ("grpc", 9500), ("metrics", 6000)]),
        ("[{containerPort: 6000}, {containerPort: 9500, protocol: TCP}, {containerPort: 7}]",
         [("metrics", 6000), ("grpc", 9500), ("", 7), ("http", 9000)]),
        ("[{name: http, containerPort: 9500}]", [("http", 9500), ("grpc", 9501), ("metrics", 6000)]),
        ("[{name: http, containerPort: 6000}]", [("http", 6000), ("grpc", 9500), ("metrics", 6001)]),
        ("[{name: own, containerPort: 9000}]", [("own", 9000), ("http", 9001), ("grpc", 9500), ("metrics", 6000)]),
        ("[{name: own, containerPort: 9000, protocol: UDP}]",
         [("own", 9000), ("http", 9000), ("grpc", 9500), ("metrics", 6000)]),
    ],
)  # fmt: skip
def test_a_number_is_listed_once(ports: str, expected: list[tuple[str, int]]) -> None:
    assert listed(ports) == expected


def test_a_port_that_had_to_move_is_not_given_to_another_container() -> None:
    pods = "[{spec: {containers: [{name: a, ports: [{name: own, containerPort: 9000}]}, {name: b}]}}]"
    scope = scope_of(f"predictors: [{{name: p, componentSpecs: {pods}, graph: {{name: a, children: [{{name: b}}]}}}}]")
    assert [unit.endpoint.httpPort for unit in units(scope.predictor.graph)] == [9001, 9002]


def test_hosts_are_local_in_the_first_pod_alone() -> None:
    found = {unit.name: unit.endpoint for unit in units(scope_of(TWO).predictor.graph)}
    assert {name: each.service_host for name, each in found.items()} == {
        "a": "localhost",
        "b": "localhost",
        "far": "iris-one-far.ml.svc.cluster.local",
    }
    assert [each.service_port for each in found.values()] == [9000, 9501, 9002]


def test_a_node_that_says_nothing_is_a_model_and_so_is_a_server() -> None:
    assert [unit.type for unit in units(scope_of(TWO).predictor.graph)] == ["TRANSFORMER", "TRANSFORMER", "MODEL"]
    server = (
        "predictors: [{name: p, graph: {name: m, type: ROUTER, implementation: SKLEARN_SERVER, modelUri: 'gs://m'}}]"
    )
    scope = scope_of(server)
    assert scope.predictor.graph.type == "MODEL"
    assert [each["name"] for each in scope.predictor.componentSpecs[0].containers()] == ["m"]


def test_what_is_written_in_a_file_for_one_pod_counts_as_a_list_of_one() -> None:
    older = ONE.replace("componentSpecs:\n  - spec", "componentSpec:\n    spec")
    assert made(older) == made(ONE)


def test_a_label_says_the_version() -> None:
    assert scope_of().predictor.labels == {"version": "main"}
    assert scope_of(ONE + "  labels: {version: v7}\n").predictor.labels == {"version": "v7"}


def test_values_of_parameters_are_text() -> None:
    listed = ONE.replace("type: MODEL}", "type: MODEL, parameters: [{name: a, type: BOOL, value: true}]}")
    (deployment,) = of_kind(made(listed), "Deployment").values()
    said = variables(container(deployment, "model"))["PREDICTIVE_UNIT_PARAMETERS"]
    assert said == '[{"name":"a","value":"true","type":"BOOL"}]'


def test_variables_of_the_user_keep_their_order_so_that_they_may_refer_to_one_another() -> None:
    theirs = [{"name": "OWN", "value": "7"}, {"name": "MLSERVER_HTTP_PORT", "value": "$(OWN)"}]
    said = [*theirs, {"name": "PREDICTOR_ID", "value": "no"}]
    (deployment,) = of_kind(made(ONE.replace('"model:1"', f'"model:1", env: {said}')), "Deployment").values()
    found = container(deployment, "model")["env"]
    kept = found.index(theirs[0])
    assert found[kept : kept + 2] == theirs
    assert found.index({"name": "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "value": "9000"}) < kept
    assert [each["value"] for each in found if each["name"] in ("MLSERVER_HTTP_PORT", "PREDICTOR_ID")] == [
        "$(OWN)",
        "main",
    ]


def test_nothing_is_filled_in_for_the_stored_resource() -> None:
    model = resource.read(sdep(), CONFIG)
    before = model.model_dump()
    defaults.filled(model, CONFIG)
    assert model.model_dump() == before
