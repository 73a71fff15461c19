"""Tests the files of `operator_lite/manifests`: whole, by kustomize, and by what they have to agree with elsewhere.

kubectl makes them where there is one; else a reader of what kustomizations list stands in for it.
"""

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from support import golden
from support.restricted import faults

from executor import options, webhook_options
from executor.manifest import document
from operator_lite import config, crd, resource, rights, trust, webhook
from operator_lite.config import IMAGE
from operator_lite.desired import desired, scopes

FOLDER = crd.FILE.parent
Object = dict[str, Any]
ASSETS = os.environ.get("KUBEBUILDER_ASSETS", "")
KUBECTL = shutil.which("kubectl", path=os.pathsep.join([ASSETS, os.environ["PATH"]]))


def documents(path: Path) -> list[Object]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def listed(folder: Path) -> Iterator[Object]:
    """The objects that a kustomization lists, as they stand in its files."""
    found = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in found["resources"]:
        path = folder / name
        yield from listed(path) if path.is_dir() else documents(path)


def built(folder: Path) -> list[Object]:
    """What `kubectl apply -k` applies."""
    if KUBECTL is None:
        return list(listed(folder))
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.fixture
def kubectl() -> None:
    """What makes overlays."""
    if KUBECTL is None:
        pytest.skip("there is no kubectl to make overlays; `make envtest` brings one")


@pytest.fixture(scope="module")
def cluster() -> list[Object]:
    """The operator for all namespaces."""
    return built(FOLDER)


def one(objects: list[Object], kind: str, name: str = "") -> Object:
    (found,) = (each for each in objects if each["kind"] == kind and name in ("", each["metadata"]["name"]))
    return found


def operator(objects: list[Object]) -> Object:
    (found,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    container: Object = found
    return container


# --- all of it


def test_everything_that_is_needed_is_there(cluster: list[Object]) -> None:
    assert sorted((each["kind"], each["metadata"]["name"]) for each in cluster) == sorted([
        ("Namespace", "millrace-system"),
        ("CustomResourceDefinition", "seldondeployments.machinelearning.seldon.io"),
        ("ServiceAccount", "millrace-operator"),
        ("Role", "millrace-operator"),
        ("RoleBinding", "millrace-operator"),
        ("ClusterRole", "millrace-operator"),
        ("ClusterRoleBinding", "millrace-operator"),
        ("ConfigMap", "millrace-config"),
        ("Service", "millrace-webhook"),
        ("Deployment", "millrace-operator"),
        ("PodDisruptionBudget", "millrace-operator"),
        ("ValidatingWebhookConfiguration", "millrace-webhook"),
    ])  # fmt: skip


def test_the_listed_files_are_what_is_applied(cluster: list[Object]) -> None:
    read = {(each["kind"], each["metadata"]["name"]): each for each in listed(FOLDER)}
    assert read.keys() == {(each["kind"], each["metadata"]["name"]) for each in cluster}
    for each in cluster:
        assert each.get("spec") == read[each["kind"], each["metadata"]["name"]].get("spec")


def test_every_file_is_listed_somewhere_and_every_listed_file_is_there() -> None:
    used = set()
    for path in FOLDER.rglob("kustomization.yaml"):
        found = yaml.safe_load(path.read_text())
        used |= {path, *((path.parent / name).resolve() for name in found["resources"])}
        used |= {(path.parent / each["path"]).resolve() for each in found.get("patches", ())}
    files = {path.resolve() for path in FOLDER.rglob("*.yaml")}
    assert files - used == {FOLDER / "example.yaml"}
    assert all(each.exists() for each in used)


def test_what_stands_in_a_namespace_stands_in_the_operators(cluster: list[Object]) -> None:
    within = [each for each in cluster if "namespace" in each["metadata"]]
    assert {each["metadata"]["namespace"] for each in within} == {rights.HOME}
    subjects = [each for found in cluster for each in found.get("subjects", ())]
    assert {(each["name"], each["namespace"]) for each in subjects} == {("millrace-operator", rights.HOME)}


def unknown(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """What is no field of a type, as Kubernetes' own client has it."""
    inner = re.fullmatch(r"(?:list\[|dict\(str, |Dict\[str, |List\[|dict\[str, )(.+)[\])]", kind)
    if inner:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from unknown(each, inner[1], f"{path}.{key}")
        return
    model = getattr(client, kind, None)
    if model is None or not isinstance(value, dict):
        return
    names = {written: name for name, written in model.attribute_map.items()}
    for key, each in value.items():
        if key not in names:
            yield f"{path}.{key}"
        else:
            yield from unknown(each, model.openapi_types[names[key]], f"{path}.{key}")


@pytest.mark.parametrize("folder", [".", "base", "cluster", "namespaced", "defaulting"])
def test_every_field_is_one_of_kubernetes_own(folder: str) -> None:
    seen = 0
    for each in listed(FOLDER / folder):
        if each["kind"] == "CustomResourceDefinition":
            continue  # Its schemas are looked at by `test_crd`.
        assert list(unknown(each, f"V1{each['kind']}")) == []
        assert hasattr(client, f"V1{each['kind']}")
        seen += 1
    assert seen


def test_a_field_that_is_none_is_found() -> None:
    found = yaml.safe_load(
        "{spec: {template: {spec: {containers: [{name: x, enw: []}], volumes: [{emptyDir: {a: b}}]}}}}"
    )
    assert list(unknown(found, "V1Deployment")) == [
        ".spec.template.spec.containers.0.enw", ".spec.template.spec.volumes.0.emptyDir.a",
    ]  # fmt: skip


def test_no_host_of_a_registry_is_named() -> None:
    images = re.findall(r"image: *(\S+)", "".join(path.read_text() for path in FOLDER.rglob("*.yaml")))
    assert images
    assert all("." not in image.split("/")[0] for image in images)


# --- the operator's pods


def test_the_operator_meets_the_restricted_standard(cluster: list[Object]) -> None:
    deployment = one(cluster, "Deployment")
    assert list(faults(deployment["spec"]["template"]["spec"])) == []
    labels = one(cluster, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert operator(cluster)["securityContext"]["readOnlyRootFilesystem"] is True


def test_its_image_is_the_one_that_it_makes_others_of(cluster: list[Object]) -> None:
    assert operator(cluster)["image"] == IMAGE


def test_it_is_told_what_it_needs(cluster: list[Object]) -> None:
    container = operator(cluster)
    command, *arguments = container["args"]
    assert command == "operator"
    parser = options.Parser("millrace operator")
    webhook_options.add(parser)
    said = webhook_options.read(parser.parse_args(arguments))
    assert said is not None
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert said["port"] == ports["webhook"]
    assert {"POD_NAME", "POD_NAMESPACE"} <= {each["name"] for each in container["env"]}
    assert {"limits", "requests"} == container["resources"].keys()


def test_probes_ask_for_pages_that_are_there(cluster: list[Object]) -> None:
    container = operator(cluster)
    ready, alive = container["readinessProbe"]["httpGet"], container["livenessProbe"]["httpGet"]
    assert (ready["port"], ready["scheme"]) == ("webhook", "HTTPS")
    assert ready["path"] in webhook.PAGES
    assert (alive["port"], alive["path"]) == ("metrics", "/healthz")


def test_two_replicas_of_which_one_stays(cluster: list[Object]) -> None:
    deployment, budget = one(cluster, "Deployment"), one(cluster, "PodDisruptionBudget")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["replicas"] == 2
    assert budget["spec"]["minAvailable"] == 1
    for chosen in (deployment["spec"]["selector"]["matchLabels"], budget["spec"]["selector"]["matchLabels"],
                   one(cluster, "Service")["spec"]["selector"]):  # fmt: skip
        assert chosen.items() <= labels.items()


def test_settings_are_settings(cluster: list[Object]) -> None:
    data = one(cluster, "ConfigMap")["data"]
    assert config.read({}, data) == config.Config()
    assert one(cluster, "ConfigMap")["metadata"]["name"] in rights.CONFIG_MAPS


# --- the webhook


@pytest.mark.parametrize("folder", ["cluster", "namespaced", "defaulting"])
def test_a_webhook_is_asked_what_it_answers(folder: str, cluster: list[Object]) -> None:
    (found,) = documents(FOLDER / folder / "webhook.yaml")
    (hook,) = found["webhooks"]
    service = hook["clientConfig"]["service"]
    place = trust.Place(rights.HOME)
    assert (service["name"], service["namespace"]) == (place.service, place.namespace)
    assert service["path"] in webhook.REVIEWS
    assert ("mutate" in service["path"]) == (found["kind"] == "MutatingWebhookConfiguration")
    (port,) = one(cluster, "Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (service["port"], "webhook")
    (rule,) = hook["rules"]
    assert rule["apiVersions"] == list(resource.SERVED)
    assert rule["resources"] == [resource.PLURAL]
    assert rule["operations"] == ["CREATE", "UPDATE"]
    assert (hook["sideEffects"], hook["admissionReviewVersions"]) == ("None", ["v1"])
    assert hook["timeoutSeconds"] <= webhook.BODY_S
    assert len(hook["name"].split(".")) >= 3
    assert found["metadata"]["name"].removesuffix("-NAMESPACE") == place.configuration


def test_what_is_wrong_is_refused_even_when_no_operator_answers() -> None:
    for folder, policy in (("cluster", "Fail"), ("namespaced", "Fail"), ("defaulting", "Ignore")):
        (found,) = documents(FOLDER / folder / "webhook.yaml")
        assert found["webhooks"][0]["failurePolicy"] == policy


# --- overlays


@pytest.mark.usefixtures("kubectl")
@pytest.mark.parametrize("name", ["millrace", "team-a"])
def test_an_operator_of_one_namespace(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    shutil.copytree(FOLDER, folder)
    path = folder / "namespaced" / "kustomization.yaml"
    path.write_text(path.read_text().replace("namespace: millrace\n", f"namespace: {name}\n"))
    found = built(folder / "namespaced")
    assert rights.HOME not in json.dumps(found)
    assert "NAMESPACE" not in json.dumps([each for each in found if each["kind"] != "Deployment"])
    assert not [each for each in found if each["kind"] in ("Namespace", "CustomResourceDefinition")]
    assert {each["metadata"]["namespace"] for each in found if "namespace" in each["metadata"]} == {name}
    assert [each["metadata"]["name"] for each in found if "namespace" not in each["metadata"]] == [
        f"millrace-operator-{name}", f"millrace-operator-{name}", f"millrace-webhook-{name}",
    ]  # fmt: skip
    role = one(found, "ClusterRole")
    assert {each for rule in role["rules"] for each in rule["resourceNames"]} == {f"millrace-webhook-{name}"}
    assert one(found, "ClusterRoleBinding")["roleRef"]["name"] == role["metadata"]["name"]
    assert {each["namespace"] for one in found for each in one.get("subjects", ())} == {name}
    (hook,) = one(found, "ValidatingWebhookConfiguration")["webhooks"]
    assert hook["clientConfig"]["service"]["namespace"] == name
    assert hook["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": name}}
    container = operator(found)
    assert "--webhook-configuration=millrace-webhook-$(POD_NAMESPACE)" in container["args"]
    assert {"WATCH_NAMESPACE", "POD_NAMESPACE"} <= {each["name"] for each in container["env"]}
    assert list(faults(one(found, "Deployment")["spec"]["template"]["spec"])) == []


@pytest.mark.usefixtures("kubectl")
def test_defaulting_is_a_component(tmp_path: Path, cluster: list[Object]) -> None:
    shutil.copytree(FOLDER, tmp_path / "manifests")
    text = "resources: [../manifests]\ncomponents: [../manifests/defaulting]\n"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "kustomization.yaml").write_text(text)
    found = built(tmp_path / "own")
    assert len(found) == len(cluster) + 1
    assert one(found, "MutatingWebhookConfiguration")["metadata"]["name"] == "millrace-webhook"


@pytest.mark.usefixtures("kubectl")
def test_the_overlays_of_the_guide_can_be_made(tmp_path: Path) -> None:
    text = (FOLDER.parents[1] / "docs" / "install.md").read_text()
    overlays = [textwrap.dedent(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    shutil.copytree(FOLDER, tmp_path / "operator_lite" / "manifests")
    made = []
    for each in overlays:
        (tmp_path / "kustomization.yaml").write_text(each)
        made.append(built(tmp_path))
    own, beside = made
    assert operator(own)["image"] == one(own, "ConfigMap")["data"]["MILLRACE_IMAGE"]
    assert config.read({}, one(own, "ConfigMap")["data"]).traffic == "none"
    (hook,) = one(beside, "ValidatingWebhookConfiguration")["webhooks"]
    chosen = hook["objectSelector"]["matchLabels"][resource.CONTROLLER]
    assert chosen == config.read({}, one(beside, "ConfigMap")["data"]).controller_id == "millrace"


# --- what the operator makes


def test_the_example_is_right_and_small() -> None:
    (found,) = documents(FOLDER / "example.yaml")
    objects = desired(scopes(resource.read(found, config.Config()), config.Config()))
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    assert list(faults(deployment["spec"]["template"]["spec"])) == []


@pytest.mark.parametrize("path", golden.files(), ids=lambda path: path.stem)
def test_what_is_added_to_pods_meets_the_restricted_standard(path: Path) -> None:
    _, manifest = document.read(golden.parts(path)[0])
    theirs = set(written(manifest.value["spec"]))
    for each in golden.objects(path):
        if each["kind"] != "Deployment":
            continue
        spec = each["spec"]["template"]["spec"]
        containers = [*spec["containers"], *spec.get("initContainers", ())]
        added = [one for one in containers if one["name"] not in theirs]
        assert list(faults({**spec, "containers": added, "initContainers": [], "volumes": []})) == []


def written(spec: Object) -> Iterator[str]:
    """The names of containers that a resource has itself."""
    for predictor in spec["predictors"]:
        for pod in predictor.get("componentSpecs") or []:
            for each in (*pod["spec"].get("containers", ()), *pod["spec"].get("initContainers", ())):
                yield each["name"]
        if "image" in ((predictor.get("explainer") or {}).get("containerSpec") or {}):
            yield predictor["explainer"]["containerSpec"]["name"]
