"""Tests `storage`: which image and secret a model is fetched with, and where it lies."""

from dataclasses import replace
from typing import Any

import pytest
from support.resources import CONFIG, container, made, of_kind, pod

from operator_lite.config import Config, Image


def fetcher(unit: str, config: Config = CONFIG) -> tuple[dict[str, Any], dict[str, Any]]:
    """The init container of a server's model, and its Deployment."""
    spec = f"predictors: [{{name: p, graph: {{name: m, implementation: SKLEARN_SERVER, {unit}}}}}]"
    (deployment,) = of_kind(made(spec, config), "Deployment").values()
    (found,) = pod(deployment)["initContainers"]
    return found, deployment


@pytest.mark.parametrize(
    ("unit", "configured", "image", "args"),
    [
        ("", None, "millrace:test", ["fetch", "gs://m", "/mnt/models"]),
        ("", Image("theirs:1"), "theirs:1", ["gs://m", "/mnt/models"]),
        (", storageInitializerImage: 'own:1'", Image("theirs:1"), "own:1", ["gs://m", "/mnt/models"]),
    ],
)
def test_the_image(unit: str, configured: Image | None, image: str, args: list[str]) -> None:
    found, _ = fetcher(f"modelUri: 'gs://m'{unit}", replace(CONFIG, initializer=configured))
    assert (found["image"], found["args"]) == (image, args)


@pytest.mark.parametrize(
    ("unit", "default", "secret"), [("", "", None), ("", "d", "d"), (", envSecretRefName: s", "d", "s")]
)
def test_the_secret(unit: str, default: str, secret: str | None) -> None:
    found, _ = fetcher(f"modelUri: 'gs://m'{unit}", replace(CONFIG, credentials_secret=default))
    assert found.get("envFrom") == (None if secret is None else [{"secretRef": {"name": secret}}])


def test_the_server_reads_what_was_fetched() -> None:
    found, deployment = fetcher("modelUri: 'gs://m'")
    (written,) = (each["name"] for each in found["volumeMounts"] if each["mountPath"] == "/mnt/models")
    read = {"name": written, "mountPath": "/mnt/models", "readOnly": True}
    assert read in container(deployment, "m")["volumeMounts"]


def test_a_model_may_lie_on_a_volume() -> None:
    found, deployment = fetcher("modelUri: 'pvc://claim/a/b'")
    assert found["args"] == ["fetch", "/mnt/pvc/a/b", "/mnt/models"]
    claims = [each["persistentVolumeClaim"] for each in pod(deployment)["volumes"] if "persistentVolumeClaim" in each]
    assert claims == [{"claimName": "claim"}]
