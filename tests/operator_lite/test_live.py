"""Tests `live`: a configuration that changes while the operator runs, well and badly."""

from collections.abc import Callable
from typing import Any

import pytest
from support.cluster import DEPLOYMENT, SPEC, Cluster, kind_of, until
from support.operators import Running
from support.resources import pod

from executor.errors import ManifestError
from operator_lite import config, program
from operator_lite.api import ApiError
from operator_lite.config import Config
from operator_lite.kinds import CONFIG_MAP
from operator_lite.live import Live
from operator_lite.program import Options

ROUTE = kind_of("HTTPRoute")


def settings(cluster: Cluster, **data: str) -> Callable[[], Config]:
    """What reads the config map of a cluster."""
    write(cluster, **data)
    options = Options(cluster.namespace, cluster.namespace, str(cluster.kubeconfig))
    return program.reader(cluster.api, options, {"MILLRACE_IMAGE": "millrace:test"})


def write(cluster: Cluster, **data: str) -> None:
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "millrace-config"}, "data": data})


def test_a_change_reaches_what_runs(cluster: Cluster, operator: Running) -> None:
    live = Live(settings(cluster, EXECUTOR_CONTAINER_USER="7"), look_s=0.05)
    running = operator(cluster, live.config)
    with live.followed(running.use):
        cluster.sdep("iris", SPEC)
        cluster.all_ready("iris")
        assert user(cluster) == 7
        write(cluster, EXECUTOR_CONTAINER_USER="9", TRAFFIC="none")
        until(lambda: user(cluster) == 9)
        cluster.all_ready("iris")
        until(lambda: cluster.names(ROUTE) == [])
        write(cluster, EXECUTOR_CONTAINER_USER="nobody")
        until(lambda: "EXECUTOR_CONTAINER_USER" in live.refused)
        assert live.config.engine_user == 9
        write(cluster, EXECUTOR_CONTAINER_USER="11")
        until(lambda: user(cluster) == 11)
        assert live.refused == ""


def user(cluster: Cluster) -> Any:
    """Whom executors run as."""
    found = cluster.get(DEPLOYMENT, "iris-main-0-model")
    assert found is not None
    return pod(found)["containers"][-1]["securityContext"]["runAsUser"]


def test_a_map_that_is_gone_changes_nothing(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    live = Live(settings(cluster, TRAFFIC="none"))
    cluster.api.delete(cluster.get(CONFIG_MAP, "millrace-config") or {})
    assert not live.look()
    assert not live.look()
    assert live.config.traffic == "none"
    said = f"ConfigMap {cluster.namespace}/millrace-config: is not there any more"
    assert live.refused == said
    assert caplog.text.count(said) == 1
    write(cluster, TRAFFIC="istio")
    assert live.look()
    assert (live.config.traffic, live.refused) == ("istio", "")


def test_there_need_not_be_a_map(cluster: Cluster) -> None:
    options = Options(cluster.namespace, cluster.namespace, str(cluster.kubeconfig))
    live = Live(program.reader(cluster.api, options, {"TRAFFIC": "istio"}))
    seen = [(live.look(), live.config.traffic)]
    write(cluster, TRAFFIC="none")
    seen.append((live.look(), live.config.traffic))
    assert seen == [(False, "istio"), (True, "none")]


def test_what_is_the_same_is_no_change() -> None:
    live = Live(lambda: config.read({"TRAFFIC": "none"}))
    assert not live.look()


def test_whose_resources_they_are_is_settled_at_the_start() -> None:
    said = {"CONTROLLER_ID": "a"}
    live = Live(lambda: config.read(said))
    said |= {"CONTROLLER_ID": "b", "TRAFFIC": "none"}
    assert live.look()
    assert (live.config.controller_id, live.config.traffic) == ("a", "none")


def test_a_server_that_is_away_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Config | ApiError] = [ApiError(500, "Away", "etcd is away"), config.read({})]

    def read() -> Config:
        found = answers.pop()
        if isinstance(found, ApiError):
            raise found
        return found

    live = Live(read)
    assert not live.look()
    assert "etcd is away" in caplog.text


def test_one_that_is_wrong_at_the_start_is_the_callers_to_tell() -> None:
    with pytest.raises(ManifestError, match="TRAFFIC"):
        Live(lambda: config.read({"TRAFFIC": "boats"}))
