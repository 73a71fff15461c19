"""Tests `servers`: what a user's own container, endpoint or parameters change of a prepackaged server."""

import json
from dataclasses import replace
from typing import Any

from support.resources import CONFIG, container, made, of_kind, pod, variables

from operator_lite.config import Config, Image
from operator_lite.names import NO_INITIALIZER

V2 = replace(CONFIG, engine_image="executor:v2")


def served(unit: str, containers: str = "[]", head: str = "", config: Config = CONFIG) -> dict[str, Any]:
    """The Deployment of a node `m` that a server runs."""
    pods = f"componentSpecs: [{{spec: {{containers: {containers}}}}}]"
    spec = f"{head}\npredictors: [{{name: p, {pods}, graph: {{name: m, {unit}}}}}]"
    (deployment,) = of_kind(made(spec, config), "Deployment").values()
    return deployment


def names(deployment: dict[str, Any]) -> list[str]:
    return [each["name"] for each in pod(deployment)["containers"]]


def test_an_image_of_the_users_is_taken_with_all_that_goes_with_it() -> None:
    own = served("implementation: SKLEARN_SERVER, modelUri: 'gs://m'", "[{name: m, image: 'own:1'}]")
    found = container(own, "m")
    assert found["image"] == "own:1"
    assert not found.keys() & {"args", "securityContext"}
    assert json.loads(variables(found)["PREDICTIVE_UNIT_PARAMETERS"])[0]["value"] == "/mnt/models"


def test_settings_of_the_users_are_kept_beside_our_image() -> None:
    own = served("implementation: SKLEARN_SERVER, modelUri: 'gs://m'", "[{name: m, securityContext: {runAsUser: 1}}]")
    found = container(own, "m")
    assert (found["image"], found["securityContext"]) == ("millrace:test", {"runAsUser": 1})


def test_a_parameter_cannot_say_where_the_model_is() -> None:
    parameters = "parameters: [{name: model_uri, type: STRING, value: x}, {name: method, type: STRING, value: predict}]"
    found = container(served(f"implementation: SKLEARN_SERVER, modelUri: 'gs://m', {parameters}"), "m")
    said = json.loads(variables(found)["PREDICTIVE_UNIT_PARAMETERS"])
    assert [(each["name"], each["value"]) for each in said] == [("method", "predict"), ("model_uri", "/mnt/models")]


def test_tensorflow_serving_may_be_somewhere_else_or_the_users_own() -> None:
    unit = "implementation: TENSORFLOW_SERVER, modelUri: 'gs://m'"
    assert "tfserving" in names(served(unit))
    parameters = "parameters: [{name: grpc_endpoint, type: STRING, value: 'tf:1'}]"
    elsewhere = served(f"{unit}, {parameters}")
    assert "tfserving" not in names(elsewhere)
    assert "rest_endpoint" not in variables(container(elsewhere, "m"))["PREDICTIVE_UNIT_PARAMETERS"]
    own = served(unit, "[{name: tfserving, image: 'tf:9'}]")
    assert names(own).count("tfserving") == 1
    mounts = container(own, "tfserving")["volumeMounts"]
    assert mounts == [{"name": "m-provision-location", "mountPath": "/mnt/models", "readOnly": True}]


def test_mlserver_is_told_its_runtime_and_users_know_better() -> None:
    runtime = "mlserver_xgboost.XGBoostModel"
    unit = "implementation: XGBOOST_SERVER, modelUri: 'gs://m'"
    plain = variables(container(served(unit, head="protocol: v2", config=V2), "m"))
    assert (plain["MLSERVER_MODEL_IMPLEMENTATION"], plain["MLSERVER_MODEL_VERSION"]) == (runtime, "v1")
    own = "[{name: m, env: [{name: MLSERVER_MODEL_IMPLEMENTATION, value: mine}]}]"
    changed = variables(container(served(unit, own, "protocol: v2", V2), "m"))
    assert changed["MLSERVER_MODEL_IMPLEMENTATION"] == "mine"
    tempo = served("implementation: TEMPO_SERVER, modelUri: 'gs://m'", head="protocol: v2", config=V2)
    assert "TEMPO_RUNTIME_OPTIONS" in variables(container(tempo, "m"))


def test_triton_without_initializer_needs_no_secret() -> None:
    head = 'protocol: v2\nannotations: {seldon.io/no-storage-initializer: "true"}'
    deployment = served("implementation: TRITON_SERVER, modelUri: 'gs://m'", head=head, config=V2)
    assert "initContainers" not in pod(deployment)
    assert "envFrom" not in container(deployment, "m")
    assert "--model-repository=gs://m" in container(deployment, "m")["args"]


def test_the_initializer_is_there_whatever_the_resource_is_annotated_with() -> None:
    unit = "graph: {name: m, implementation: TRITON_SERVER, modelUri: 'gs://m'}"
    objects = made(f"protocol: v2\npredictors: [{{name: p, {unit}}}]", V2, annotations={NO_INITIALIZER: "true"})
    (deployment,) = of_kind(objects, "Deployment").values()
    assert [each["name"] for each in pod(deployment)["initContainers"]] == ["m-model-initializer"]


def test_servers_of_ours_are_asked_whether_they_are_ready() -> None:
    asked = {"path": "/ready", "port": "http", "scheme": "HTTP"}
    unit = "implementation: SKLEARN_SERVER, modelUri: 'gs://m'"
    assert container(served(unit), "m")["readinessProbe"]["httpGet"] == asked
    other = replace(CONFIG, servers={"SKLEARN_SERVER": {"seldon": Image("own:1")}})
    assert container(served(unit, config=other), "m")["readinessProbe"]["tcpSocket"] == {"port": "http"}
    own = served(unit, "[{name: m, readinessProbe: {exec: {command: [ask]}}}]")
    assert container(own, "m")["readinessProbe"] == {"exec": {"command": ["ask"]}}


def test_they_are_asked_as_they_serve() -> None:
    alone = "annotations: {seldon.io/no-engine: 'true'}, ssl: {certSecretName: pair}"
    spec = f"predictors: [{{name: p, {alone}, graph: {{name: m, implementation: SKLEARN_SERVER, modelUri: 'gs://m'}}}}]"
    (deployment,) = of_kind(made(spec), "Deployment").values()
    assert container(deployment, "m")["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
