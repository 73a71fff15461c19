"""Tests `engine`: that the executor takes what it is given, and where it keeps what routers learn."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import golden
from support.resources import CONFIG, ONE, container, made, of_kind, pod, scope_of, variables

from executor import manifest, options
from executor.container import flags, settings
from operator_lite import engine

LEARNS = """\
predictors:
- name: main
  graph:
    name: router
    implementation: UCB1
    children:
    - {name: a, implementation: SKLEARN_SERVER, modelUri: "gs://a"}
    - {name: b, implementation: SKLEARN_SERVER, modelUri: "gs://b"}
"""


def engines(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [each for one in of_kind(objects, "Deployment").values() for each in pod(one)["containers"]]
    return [each for each in found if each["name"] == "seldon-container-engine"]


def parsed(container: dict[str, Any]) -> argparse.Namespace:
    parser = options.Parser()
    flags.add(parser)
    program, *arguments = container["args"]
    assert program == "executor"
    return parser.parse_args(arguments)


@pytest.mark.parametrize("path", golden.files(), ids=lambda path: path.stem)
def test_the_executor_takes_all_of_it(path: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations").write_text("")
    ours = [each for each in engines(golden.objects(path)) if each["image"] == "millrace:test"]
    for each in ours:
        environment = {name: str(value) for name, value in variables(each).items()}
        environment.pop("SELDON_CERT_MOUNT_PATH", None)
        given = parsed({**each, "args": [*each["args"], "--annotations", str(tmp_path / "annotations")]})
        asked = settings.read(given, environment)
        assert asked.text is not None
        predictor = manifest.load_predictor(asked.text, lenient=False)
        assert predictor.name == given.predictor
        assert all(node.endpoint.reachable for node in predictor.graph.walk() if node.image)
        assert asked.settings.listen.http_port == each["ports"][0]["containerPort"]
    assert ours or "EXECUTOR_CONTAINER_IMAGE" in path.read_text() or "no-engine" in path.read_text()


def test_a_pod_ends_within_the_time_that_it_is_given() -> None:
    (deployment,) = of_kind(made(), "Deployment").values()
    given = parsed(container(deployment, "seldon-container-engine"))
    assert given.shutdown_delay + given.graceful_timeout < pod(deployment)["terminationGracePeriodSeconds"]


def test_scaling_and_what_other_containers_use_change_no_executor() -> None:
    scaled = ONE.replace("- name: main", "- name: main\n  replicas: 7\n  traffic: 100").replace(
        'image: "model:1"', 'image: "model:1", resources: {limits: {cpu: 3}}'
    )
    assert engine.encoded(scope_of(scaled)) == engine.encoded(scope_of(ONE))
    assert engine.encoded(scope_of(ONE.replace("model:1", "model:2"))) != engine.encoded(scope_of(ONE))


def test_what_routers_learn_is_on_a_volume_of_one_machine() -> None:
    objects = made(LEARNS)
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    (deployment,) = of_kind(objects, "Deployment").values()
    spec = pod(deployment)
    assert parsed(container(deployment, "seldon-container-engine")).state == "/var/lib/millrace/state.sqlite"
    assert {"name": "millrace-state", "persistentVolumeClaim": {"claimName": claim}} in spec["volumes"]
    (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    executors = {"seldon-deployment-id": "iris", "seldon-app": "iris-main"}  # of the graph before and after an update
    assert term["labelSelector"]["matchLabels"] == executors
    assert executors.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsUser"] == 8888


def test_or_in_redis_without_a_volume() -> None:
    objects = made(LEARNS, replace(CONFIG, state="redis://r:6379"))
    assert not of_kind(objects, "PersistentVolumeClaim")
    assert [parsed(each).state for each in engines(objects)] == ["redis://r:6379"]


def test_another_executor_is_not_given_what_only_ours_takes() -> None:
    objects = made(LEARNS, replace(CONFIG, engine_image="theirs:1"))
    assert not of_kind(objects, "PersistentVolumeClaim")
    assert "--state" not in engines(objects)[0]["args"]


def test_variables_of_the_user_win_over_those_of_annotations() -> None:
    spec = (
        'annotations: {seldon.io/engine-seldon-log-level: DEBUG, seldon.io/engine-a-b: "1"}\n'
        + ONE
        + "  svcOrchSpec: {env: [{name: SELDON_LOG_LEVEL, value: ERROR}]}\n"
    )
    (found,) = engines(made(spec))
    said = variables(found)
    assert (said["SELDON_LOG_LEVEL"], said["A_B"]) == ("ERROR", "1")
    assert "SEPARATE_POD" not in said
