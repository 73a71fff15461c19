"""Tests less usual pods of SeldonDeployments as they run: executors apart and over TLS, explainers, shared state."""

import base64
import functools
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from support import workloads
from support.certificates import Authority
from support.gateway.running import Gateway
from support.installed import NAMESPACE, Installed
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster
from support.load import ASKED
from support.secure import SecureClient
from support.shops import sdep, told

ENGINE = "seldon-container-engine"
OWN_NAME = {"name": "VERSION", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
EXPLAINED = 9000
UNTRUSTED = "untrusted"


def address(cluster: Cluster, namespace: str, service: str) -> str:
    """The address of a Service."""
    found: str = cluster.api.get(f"/api/v1/namespaces/{namespace}/services/{service}")["spec"]["clusterIP"]
    return found


def certificate(folder: Path, number: int, host: str) -> tuple[bytes, Object]:
    """A CA of its own, and the data of a Secret with a certificate that it has signed."""
    authority = Authority(folder, f"ca{number}")
    key, cert = authority.pair(f"pair{number}", host).pem
    encoded = {"tls.crt": cert, "tls.key": key}
    return authority.pem, {name: base64.b64encode(each).decode() for name, each in encoded.items()}


def posted(url: str, said: Object) -> Any:
    """The answer to JSON; None where nobody is there yet, as behind a gateway that has not heard of a pod."""
    asked = urllib.request.Request(url, json.dumps(said).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        if refused.code != 503:
            raise
        return None


@pytest.mark.timeout(300)
def test_an_executor_apart_serves_with_the_secret_of_now_and_shares_calls_out_over_pods(
    installed: Installed, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    found = told(container={"env": [OWN_NAME]})
    found["spec"]["annotations"] = {"seldon.io/engine-separate-pod": "true"}
    found["spec"]["predictors"][0] |= {
        "replicas": 2, "svcOrchSpec": {"replicas": 1}, "ssl": {"certSecretName": "certificate"},
    }  # fmt: skip
    installed.apply(namespace, found)
    eventually(lambda: len(installed.pods(namespace)) == 3, what="there are pods")
    eventually(lambda: workloads.ready_endpoints(cluster, namespace) == 2, 60, "both nodes can be looked up")
    nodes = {each["metadata"]["name"] for each in installed.pods(namespace, seldon_app_svc_model="shop-main-model")}
    (waiting,) = installed.pods(namespace, seldon_app="shop-main")
    assert [each["name"] for each in waiting["spec"]["containers"]] == [ENGINE]
    assert not workloads.is_ready(waiting)

    name = f"shop-main.{namespace}.svc"
    first, data = certificate(tmp_path, 1, name)
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    cluster.api.create(secrets, {"metadata": {"name": "certificate"}, "type": "kubernetes.io/tls", "data": data})
    assert installed.available(namespace, "shop")["address"]["url"].startswith("https://shop-main.")
    assert address(cluster, namespace, "shop-main-model") == "None"
    where = address(cluster, namespace, "shop-main")
    client = SecureClient(first, where, name)
    wanted = {f"main {each}" for each in nodes}
    eventually(lambda: heard(client.grpc) == wanted, 60, "both nodes answer")
    assert heard(client.rest) <= wanted  # a connection to a REST node stays where it is for a while

    second, data = certificate(tmp_path, 2, name)
    cluster.api.patch(f"{secrets}/certificate", {"data": data})
    newcomer = SecureClient(second, where, name)
    # Each worker of the executor looks at its files by itself.
    eventually(lambda: heard(newcomer.rest) | heard(newcomer.grpc) == wanted, what="the renewed one is served")
    eventually(lambda: heard(client.rest) == heard(client.grpc) == {UNTRUSTED}, what="the old one is not")
    (now,) = installed.pods(namespace, seldon_app="shop-main")
    assert now["metadata"]["uid"] == waiting["metadata"]["uid"]
    assert now["status"]["containerStatuses"][0]["restartCount"] == 0


def heard(ask: Callable[[Object], Object]) -> set[str]:
    """Who answers ten requests; `UNTRUSTED` for a certificate that the client does not trust."""

    def one() -> str:
        try:
            return str(ask(ASKED)["strData"])
        except ssl.SSLCertVerificationError:
            return UNTRUSTED
        except grpc.RpcError as error:
            assert "CERTIFICATE_VERIFY_FAILED" in error.details(), error
            return UNTRUSTED

    return {one() for _ in range(10)}


def test_an_explainer_asks_its_model_and_answers(
    installed: Installed, cluster: Cluster, gateway: Gateway, namespace: str
) -> None:
    graph = {"name": "model", "implementation": "SIMPLE_MODEL"}
    installed.apply(
        namespace, sdep(graph, explainer={"type": "AnchorTabular", "config": {"threshold": "0.9", "beam_size": "2"}})
    )
    status = installed.available(namespace, "shop")
    service = status["serviceStatus"]["shop-main-explainer"]
    assert (service["explainerFor"], service["httpEndpoint"]) == (
        "main",
        f"shop-main-explainer.{namespace}:{EXPLAINED}",
    )
    beside = f"http://{address(cluster, namespace, 'shop-main-explainer')}:{EXPLAINED}"
    for base in (beside, f"{gateway.http}/seldon/{namespace}/shop-explainer/main"):
        where = f"{base}/api/v1.0/explain"
        answer = eventually(functools.partial(posted, where, ASKED), what=f"an answer of {where}")
        assert answer.pop("answer")["data"] == ASKED["data"]
        assert answer == {
            "path": "/api/v1.0/explain", "type": "AnchorTabular", "model": "model",
            "more": ["--beam_size=2", "--threshold=0.9"],
        }  # fmt: skip
    (pod,) = installed.pods(namespace, app="shop-main-explainer")
    assert [each["name"] for each in pod["spec"]["containers"]] == ["shop-main-explainer"]


def redis() -> list[Object]:
    """A Redis server with a password, and what reaches it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis"}, "stringData": {"password": "hush"}}
    probe = {"tcpSocket": {"port": 6379}, "periodSeconds": 2}
    args = ["--requirepass", "$(PASSWORD)", "--save", "", "--protected-mode", "no"]
    one = {
        "name": "c",
        "image": "millrace/test-redis:1",
        "args": args,
        "env": [password("PASSWORD")],
        "readinessProbe": probe,
    }
    labels = {"app": "redis"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [one]}},
    }
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "redis"}, "spec": spec}
    return [secret, deployment, workloads.service("redis", ports=[{"name": "redis", "port": 6379}])]


def password(name: str) -> Object:
    """The variable that holds it."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "redis", "key": "password"}}}


def configured(cluster: Cluster, **values: str | None) -> None:
    """Sets variables of the operator."""
    cluster.api.patch(f"/api/v1/namespaces/{NAMESPACE}/configmaps/millrace-config", {"data": values})


@pytest.mark.timeout(300)
def test_replicas_share_what_they_learn_in_redis_and_it_outlives_them(
    installed: Installed, cluster: Cluster, namespace: str
) -> None:
    children = [{"name": name, "implementation": "SIMPLE_MODEL"} for name in ("first", "second")]
    never = {"name": "epsilon", "value": "0", "type": "FLOAT"}
    graph = {"name": "choice", "implementation": "EPSILON_GREEDY", "parameters": [never], "children": children}
    place = f"redis://:$(STATE_PASSWORD)@redis.{namespace}:6379"
    configured(cluster, ROUTER_STATE=place)
    try:
        installed.apply(namespace, sdep(graph, replicas=0, svcOrchSpec={"env": [password("STATE_PASSWORD")]}))
        workloads.deploy(cluster, namespace, *redis())
        eventually(lambda: place in _arguments(cluster, namespace), 60, "the change of the configuration counts")
        installed.apply(namespace, sdep(graph, replicas=2, svcOrchSpec={"env": [password("STATE_PASSWORD")]}))
        one, other = running(installed, namespace, set())
        assert {taken(one), taken(other)} == {0}
        posted(f"{one}/feedback", {"request": ASKED, "response": {"meta": {"routing": {"choice": 1}}}, "reward": 1.0})
        eventually(lambda: taken(one) == taken(other) == 1, what="all have learned it")
        before = {each["metadata"]["name"] for each in installed.pods(namespace, seldon_app="shop-main")}
        cluster.kubectl("delete", "pod", *before, "-n", namespace, "--wait=false")
        assert {taken(each) for each in running(installed, namespace, before)} == {1}
    finally:
        configured(cluster, ROUTER_STATE=None)


def _arguments(cluster: Cluster, namespace: str) -> list[str]:
    found = cluster.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/shop-main-svc-orch")
    arguments: list[str] = found["spec"]["template"]["spec"]["containers"][0]["args"]
    return arguments


def running(installed: Installed, namespace: str, without: set[str]) -> list[str]:
    """Where two executors are asked that are not those, once they are ready."""

    def ready() -> list[Object]:
        pods = installed.pods(namespace, seldon_app="shop-main")
        return [each for each in pods if each["metadata"]["name"] not in without and workloads.is_ready(each)]

    eventually(lambda: len(ready()) == 2, 60, "two executors are ready")
    return [f"http://{each['status']['podIP']}:8000/api/v1.0" for each in ready()]


def taken(executor: str) -> int:
    """The branch that a request takes there."""
    branch: int = posted(f"{executor}/predictions", ASKED)["meta"]["routing"]["choice"]
    return branch
