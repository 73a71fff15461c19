"""Tests that a real API server takes what SeldonDeployments become, to the last field, and admits our pods anywhere."""

import copy
import json
from pathlib import Path

import pytest
from support import golden
from support.kube.api import Object
from support.kube.cluster import Cluster

from operator_lite import crd, resource

KNOWN = "duplicate port name"
"""Seldon's names of ports are those of each container; Services and monitors of users rely on them."""
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
FILES = [pytest.param(path, id=path.stem) for path in golden.files()]


def strictly(cluster: Cluster, namespace: str, *objects: Object) -> str:
    """What a server warns of when asked what these objects would become. It refuses fields that it does not know."""
    placed = [{**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in objects]
    whole = {"apiVersion": "v1", "kind": "List", "items": placed}
    arguments = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    done = cluster.try_kubectl(*arguments, said=json.dumps(whole))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(objects)
    return "".join(line for line in done.stderr.splitlines(keepends=True) if KNOWN not in line)


@pytest.mark.parametrize("path", FILES)
def test_what_a_manifest_becomes_is_taken_without_a_warning(cluster: Cluster, namespace: str, path: Path) -> None:
    assert strictly(cluster, namespace, *golden.objects(path)) == ""


@pytest.fixture(scope="module")
def defined(cluster: Cluster) -> None:
    """Our definition, as `kubectl apply -f` puts it there."""
    cluster.kubectl("apply", "--validate=strict", "-f", str(crd.FILE))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd.FILE))


@pytest.mark.parametrize("version", resource.SERVED)
def test_manifests_are_taken_in_each_version_and_lose_nothing(
    cluster: Cluster, defined: None, namespace: str, version: str
) -> None:
    labels = {resource.CONTROLLER: "nobody"}  # no webhook is to be asked
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    path = f"/apis/{resource.GROUP}/{version}/namespaces/{namespace}/{resource.PLURAL}"
    for each in golden.files():
        manifest = golden.manifest(each)
        name = each.stem.replace("_", "-")
        meta = {**manifest["metadata"], "name": name, "namespace": namespace}
        asked = {**manifest, "apiVersion": f"{resource.GROUP}/{version}", "metadata": meta}
        strict = f"{path}?fieldValidation=Strict&dryRun=All"
        assert cluster.api.create(strict, asked)["spec"] == manifest["spec"], each.stem


def test_all_kinds_are_among_them() -> None:
    made = {each["kind"] for path in golden.files() for each in golden.objects(path)}
    assert made == {
        "PersistentVolumeClaim", "Service", "Deployment", "HorizontalPodAutoscaler", "ScaledObject",
        "PodDisruptionBudget", "HTTPRoute", "GRPCRoute", "DestinationRule", "VirtualService",
    }  # fmt: skip


def test_a_field_that_nobody_knows_would_not_be(cluster: Cluster, namespace: str) -> None:
    for each in golden.objects(golden.FOLDER / "canary.yaml"):
        wrong = copy.deepcopy(each)
        wrong["spec"]["wheels"] = 4
        with pytest.raises(AssertionError, match="wheels"):
            strictly(cluster, namespace, wrong)


@pytest.mark.parametrize("name", ["built_ins_alone", "learning_volume", "model_uri"])
def test_pods_of_ours_alone_are_admitted_where_the_restricted_standard_holds(
    cluster: Cluster, namespace: str, name: str
) -> None:
    cluster.api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": RESTRICTED}})
    templates = [
        each["spec"]["template"]
        for each in golden.objects(golden.FOLDER / f"{name}.yaml")
        if each["kind"] == "Deployment"
    ]
    assert templates
    for each in templates:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**each["metadata"], "name": "p"}, "spec": each["spec"]}
        assert strictly(cluster, namespace, pod) == ""
