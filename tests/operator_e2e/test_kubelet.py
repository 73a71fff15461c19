"""Tests `support.kubelet`: pods run as processes here, and their status tells the truth."""

import time

import pytest
from support import workloads as pods
from support.kube.api import Object, eventually
from support.kube.cluster import Cluster
from support.node import Node


def state(cluster: Cluster, namespace: str, name: str) -> Object:
    """The state of a pod's one container."""
    statuses = pods.pod(cluster, namespace, name)["status"].get("containerStatuses")
    found = statuses[0] if statuses else {"state": {}, "lastState": {}, "restartCount": 0}
    assert isinstance(found, dict)
    return found


def test_a_pod_runs_and_is_reached(cluster: Cluster, node: Node, namespace: str) -> None:
    probe = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 5}
    pods.make_pod(cluster, namespace, "web", pods.container("http:1", readinessProbe=probe))
    found = pods.ready_pod(cluster, namespace, "web")
    assert found["spec"]["nodeName"] == node.name
    assert found["status"]["phase"] == "Running"
    assert found["status"]["podIP"].startswith("10.88.1.")
    assert 'GET / HTTP/1.1" 200' in node.log(namespace, "web", "c")


def test_init_containers_run_in_order_before_the_others(cluster: Cluster, node: Node, namespace: str) -> None:
    first, second = (
        {**pods.container("shell:1", f"sleep 0.2; echo {word} >> /shared/said"), "name": word, "volumeMounts": shared}
        for word, shared in (("one", SHARED), ("two", SHARED))
    )
    last = pods.container("shell:1", "cat /shared/said; exec sleep 100", volumeMounts=SHARED)
    pods.make_pod(
        cluster, namespace, "p", last, initContainers=[first, second], volumes=[{"name": "shared", "emptyDir": {}}]
    )
    found = pods.ready_pod(cluster, namespace, "p")
    assert [each["state"]["terminated"]["exitCode"] for each in found["status"]["initContainerStatuses"]] == [0, 0]
    eventually(lambda: node.log(namespace, "p", "c") == "one\ntwo\n")


SHARED = [{"name": "shared", "mountPath": "/shared"}]


def test_environment_comes_from_fields_config_maps_and_secrets(cluster: Cluster, node: Node, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    cluster.api.create(f"{path}/configmaps", {"metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}})
    cluster.api.create(f"{path}/secrets", {"metadata": {"name": "s"}, "stringData": {"key": "hush"}})
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "b"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "JOINED", "value": "$(POD)-$(B)-$$(B)-$(UNKNOWN)"},
    ]
    said = 'echo "$POD $ADDRESS $APP $KEY $x_a $MEMORY $JOINED $0"; exec sleep 100'
    one = pods.container(
        "shell:1", said, "$(KEY)", env=env, envFrom=[{"prefix": "x_", "configMapRef": {"name": "c"}}],
        resources={"limits": {"memory": "64Mi"}},
    )  # fmt: skip
    pods.make_pod(cluster, namespace, "p", one)
    address = pods.ready_pod(cluster, namespace, "p")["status"]["podIP"]
    wanted = f"p {address} p hush 1 64 p-2-$(B)-$(UNKNOWN) hush\n"
    eventually(lambda: node.log(namespace, "p", "c"))
    assert node.log(namespace, "p", "c") == wanted


def test_volumes_follow_what_they_show(cluster: Cluster, node: Node, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    cluster.api.create(f"{path}/configmaps", {"metadata": {"name": "c"}, "data": {"a": "1"}})
    told = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}}
    volumes = [{"name": "config", "configMap": {"name": "c"}}, {"name": "info", "downwardAPI": {"items": [told]}}]
    mounts = [{"name": "config", "mountPath": "/config"}, {"name": "info", "mountPath": "/etc/podinfo"}]
    said = "while sleep 0.1; do cat /config/a /etc/podinfo/annotations; echo; done"
    pods.make_pod(cluster, namespace, "p", pods.container("shell:1", said, volumeMounts=mounts), volumes=volumes)
    eventually(lambda: '1told="first"\n' in node.log(namespace, "p", "c"))
    cluster.api.patch(f"{path}/configmaps/c", {"data": {"a": "2"}})
    cluster.api.patch(f"{path}/pods/p", {"metadata": {"annotations": {"told": "then"}}})
    assert eventually(lambda: '2told="then"\n' in node.log(namespace, "p", "c"))


def test_a_container_waits_for_what_it_refers_to(cluster: Cluster, node: Node, namespace: str) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]
    pods.make_pod(cluster, namespace, "p", pods.container("shell:1", "exec sleep 100", env=env))
    waiting = eventually(lambda: state(cluster, namespace, "p")["state"].get("waiting", {}).get("message"))
    assert waiting == 'configmap "late" not found'
    cluster.api.create(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "late"}, "data": {"a": "1"}})
    pods.ready_pod(cluster, namespace, "p")


def test_an_image_that_is_not_in_the_table_is_reported(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.make_pod(cluster, namespace, "p", pods.container("nothing:1"))
    waiting = eventually(
        lambda: state(cluster, namespace, "p")["state"].get("waiting", {}).get("reason") == "ErrImagePull"
    )
    assert waiting


def test_a_container_that_fails_is_restarted(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.make_pod(cluster, namespace, "p", pods.container("shell:1", "echo begun; exit 3"))
    eventually(lambda: state(cluster, namespace, "p")["restartCount"] >= 2)
    assert state(cluster, namespace, "p")["lastState"]["terminated"]["exitCode"] == 3
    assert node.log(namespace, "p", "c").startswith("begun\nbegun\n")


def test_a_job_ends(cluster: Cluster, node: Node, namespace: str) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [pods.container("shell:1", "exit 0")]}}
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    cluster.api.create(path, {"metadata": {"name": "once"}, "spec": {"template": template}})
    assert eventually(lambda: cluster.api.get(f"{path}/once")["status"].get("succeeded") == 1)


@pytest.mark.parametrize("kind", ["exec", "tcpSocket", "grpc", "httpGet"])
def test_readiness_is_what_the_probe_says(kind: str, cluster: Cluster, node: Node, namespace: str) -> None:
    handler: Object = {
        "exec": {"command": ["test", "-e", "/proc/1/exe"]},
        "tcpSocket": {"port": "http"},
        "grpc": {"port": pods.GRPC},
        "httpGet": {"path": "/ready", "port": "http"},
    }
    probe = {kind: handler[kind], "periodSeconds": 2, "initialDelaySeconds": 5}
    ports = [{"name": "http", "containerPort": pods.HTTP}]
    pods.make_pod(cluster, namespace, "p", pods.container("answer:1", readinessProbe=probe, ports=ports))
    begun = time.monotonic()
    pods.ready_pod(cluster, namespace, "p")
    assert time.monotonic() - begun >= 0.5


def test_a_pod_that_turns_unready_leaves_its_service(cluster: Cluster, node: Node, namespace: str) -> None:
    said = "while sleep 0.1; do if [ -e /tmp/well ]; then rm /tmp/well; sleep 2; touch /tmp/unwell; fi; done"
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/unwell"]}, "periodSeconds": 2, "failureThreshold": 1}
    one = pods.container("shell:1", f"touch /tmp/well; {said}", readinessProbe=probe)
    pods.make_pod(cluster, namespace, "web", one)
    cluster.apply({**pods.service("web"), "metadata": {"name": "web", "namespace": namespace}})
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"

    def readiness() -> list[bool]:
        slices = cluster.api.items(path)
        return [each["conditions"]["ready"] for found in slices for each in found.get("endpoints") or []]

    eventually(lambda: readiness() == [True])
    assert eventually(lambda: readiness() == [False])


def test_a_container_that_fails_its_liveness_is_restarted(cluster: Cluster, node: Node, namespace: str) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 2, "failureThreshold": 2}
    one = pods.container("shell:1", "exec sleep 100", livenessProbe={**probe, "terminationGracePeriodSeconds": 1})
    pods.make_pod(cluster, namespace, "p", one)
    assert eventually(lambda: state(cluster, namespace, "p")["restartCount"] >= 1)


def test_liveness_waits_until_startup_has_passed(cluster: Cluster, node: Node, namespace: str) -> None:
    startup = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 2, "failureThreshold": 100}
    live = {"exec": startup["exec"], "periodSeconds": 2}
    said = "sleep 2; touch /tmp/up; exec sleep 100"
    one = pods.container("shell:1", said, startupProbe=startup, livenessProbe=live)
    pods.make_pod(cluster, namespace, "p", one)
    pods.ready_pod(cluster, namespace, "p")
    assert state(cluster, namespace, "p")["restartCount"] == 0


def test_a_pod_ends_with_hook_signal_and_grace(cluster: Cluster, node: Node, namespace: str) -> None:
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), sys.exit(0)))\n"
        "time.sleep(100)"
    )
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook; sleep 0.5"]}}}
    pods.make_pod(cluster, namespace, "p", pods.container("python:1", code, lifecycle=hook))
    pods.ready_pod(cluster, namespace, "p")
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/pods/p")
    eventually(lambda: cluster.api.find(f"/api/v1/namespaces/{namespace}/pods/p") is None)
    assert node.log(namespace, "p", "c") == "hook\ntold\n"


def test_a_pod_that_does_not_listen_is_killed(cluster: Cluster, node: Node, namespace: str) -> None:
    one = pods.container("shell:1", "trap '' TERM; while true; do sleep 0.1; done")
    pods.make_pod(cluster, namespace, "p", one, terminationGracePeriodSeconds=1)
    pods.ready_pod(cluster, namespace, "p")
    cluster.api.delete(f"/api/v1/namespaces/{namespace}/pods/p")
    assert eventually(lambda: cluster.api.find(f"/api/v1/namespaces/{namespace}/pods/p") is None)


def test_rights_are_what_the_security_context_says(cluster: Cluster, node: Node, namespace: str) -> None:
    context = {
        "runAsUser": 8888, "runAsGroup": 8888, "runAsNonRoot": True, "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    said = (
        "id -u; id -g; touch /etc/mine || echo refused; touch /shared/mine && echo written; "
        "grep -E 'CapEff|NoNewPrivs' /proc/self/status; exec sleep 100"
    )
    part = [{"name": "shared", "mountPath": "/shared", "subPath": "a/part"}]
    one = pods.container("shell:1", said, securityContext=context, volumeMounts=part)
    pods.make_pod(cluster, namespace, "p", one, volumes=[{"name": "shared", "emptyDir": {}}])
    pods.ready_pod(cluster, namespace, "p")
    found = eventually(lambda: "NoNewPrivs" in node.log(namespace, "p", "c") and node.log(namespace, "p", "c").split())
    assert found[:2] == ["8888", "8888"]
    assert {"refused", "written"} <= set(found)
    assert found[-4:] == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]


def test_root_is_refused_where_it_is_forbidden(cluster: Cluster, node: Node, namespace: str) -> None:
    pods.make_pod(cluster, namespace, "p", pods.container("shell:1", "id", securityContext={"runAsNonRoot": True}))
    waiting = eventually(lambda: state(cluster, namespace, "p")["state"].get("waiting", {}).get("message"))
    assert "runAsNonRoot" in waiting


def test_a_claim_keeps_what_a_pod_wrote(cluster: Cluster, node: Node, namespace: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    cluster.api.create(path, {"metadata": {"name": "kept"}, "spec": claim})
    volumes = [{"name": "shared", "persistentVolumeClaim": {"claimName": "kept"}}]
    for name, said in (("first", "echo kept > /shared/a"), ("second", "cat /shared/a")):
        one = pods.container("shell:1", said, volumeMounts=SHARED)
        pods.make_pod(cluster, namespace, name, one, volumes=volumes, restartPolicy="Never")
        pods.succeeded(cluster, namespace, name)
    assert node.log(namespace, "second", "c") == "kept\n"


def test_a_pod_talks_to_the_api_server_as_its_account(cluster: Cluster, node: Node, namespace: str) -> None:
    code = (
        "import json, os, ssl, urllib.request\n"
        "d = '/var/run/secrets/kubernetes.io/serviceaccount/'\n"
        "token = open(d + 'token').read()\n"
        "asked = urllib.request.Request('https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews',"
        ' b\'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}\','
        " {'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'})\n"
        "with urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=d + 'ca.crt')) as answer:\n"
        "    print(json.load(answer)['status']['userInfo']['username'], open(d + 'namespace').read())\n"
    )
    pods.make_pod(cluster, namespace, "p", pods.container("python:1", code), restartPolicy="OnFailure")
    pods.succeeded(cluster, namespace, "p")
    assert f"system:serviceaccount:{namespace}:default {namespace}\n" in node.log(namespace, "p", "c")
