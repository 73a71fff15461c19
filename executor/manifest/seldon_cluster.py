"""Owns what a cluster asks of a SeldonDeployment beyond its graph: names, pods, scaling, and what its executor speaks.

Must not look at graphs (`executor.manifest.seldon` does), nor at more of pods than has to be known to add to them.
"""
# ruff: noqa: N815, RUF012 (fields are named as manifests name them; pydantic copies mutable defaults)

import json
import re
from collections.abc import Mapping

from pydantic import ConfigDict

from executor.manifest.document import Path
from executor.manifest.profile import Terms
from executor.manifest.seldon_shape import (
    SERVICE_NAME,
    DeploymentModel,
    DeploymentSpecModel,
    ExplainerModel,
    Name,
    Opaque,
    PodModel,
    PredictorModel,
)
from executor.manifest.shape import Model, Report, faults, hint, listing

EXPLAINERS = (
    "AnchorTabular", "AnchorImages", "AnchorText", "Counterfactuals", "Contrastive", "KernelShap",
    "IntegratedGradients", "ALE", "TreeShap",
)  # fmt: skip
NUMBERS = ("seldon.io/executor-logger-queue-size", "seldon.io/executor-logger-write-timeout-ms")
"""Annotations that are whole numbers."""


class Part(Model):
    """What is known of a part of a pod: the rest is Kubernetes' business."""

    model_config = ConfigDict(extra="ignore")


class Named(Part):
    name: Name


class Port(Part):
    name: str = ""
    containerPort: int


class Mount(Part):
    name: Name
    mountPath: Name


class Container(Part):
    name: Name
    image: str = ""
    env: list[Named] = []
    ports: list[Port] = []
    volumeMounts: list[Mount] = []


class Affinity(Part):
    podAffinity: Opaque = {}


class PodSpec(Part):
    containers: list[Container] = []
    initContainers: list[Container] = []
    volumes: list[Named] = []
    affinity: Affinity = Affinity()
    securityContext: Opaque = {}


class PodMetadata(Part):
    name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_SAID = 'must be lower-case letters, digits and "-", with a letter or digit at both ends'


def check(model: DeploymentModel, report: Report, terms: Terms) -> None:
    """Add what is wrong to the report."""
    _check_numbers(model.metadata.annotations, ("metadata", "annotations"), report)
    _check_numbers(model.spec.annotations, ("spec", "annotations"), report)
    _check_label(model.metadata.name, ("metadata", "name"), report, dots=True)
    for index, each in enumerate(model.spec.predictors):
        _check_predictor(each, ("spec", "predictors", index), report)
    if any(each.has_engine for each in model.spec.predictors):
        _check_spoken(model.spec, report, terms)


def _check_spoken(model: DeploymentSpecModel, report: Report, terms: Terms) -> None:
    """What the cluster's executor cannot do; without one, it does not matter."""
    if terms.protocols is not None and model.protocol not in terms.protocols:
        message = f"the executor does not speak {model.protocol}{listing(terms.protocols)}"
        report.add(("spec", "protocol"), message)
    if terms.server_types is not None and model.serverType not in terms.server_types:
        message = f"serverType {model.serverType} is not what the executor can do{listing(terms.server_types)}"
        report.add(("spec", "serverType"), message)


def _check_predictor(model: PredictorModel, at: Path, report: Report) -> None:
    _check_label(model.name, (*at, "name"), report)
    if SERVICE_NAME in model.annotations:
        _check_label(model.annotations[SERVICE_NAME], (*at, "annotations", SERVICE_NAME), report)
    for env, given in enumerate(model.svcOrchSpec.env):
        for path, message in faults(Named, given):
            report.add((*at, "svcOrchSpec", "env", env, *path), message)
    if model.ssl is not None and not model.ssl.certSecretName:
        report.add((*at, "ssl", "certSecretName"), "must not be empty; it names a secret with tls.crt and tls.key")
    if model.explainer is not None:
        _check_explainer(model.explainer, (*at, "explainer"), report)
    for index, pod in enumerate(model.componentSpecs):
        _check_pod(pod, (*at, "componentSpecs", index), report)


def _check_explainer(model: ExplainerModel, at: Path, report: Report) -> None:
    if model.type not in ("", *EXPLAINERS):
        message = f'"{model.type}" is no explainer{hint(model.type, EXPLAINERS)}{listing(EXPLAINERS)}'
        report.add((*at, "type"), message)
    for path, message in faults(Container, {"name": "-", **(model.containerSpec or {})}):
        report.add((*at, "containerSpec", *path), message)
    if model.initParameters:
        try:
            json.loads(model.initParameters)
        except ValueError as error:
            report.add((*at, "initParameters"), f"must be JSON: {error}")


def _check_pod(model: PodModel, at: Path, report: Report) -> None:
    for part, shape, value in (("metadata", PodMetadata, model.metadata), ("spec", PodSpec, model.spec)):
        for path, message in faults(shape, value):
            report.add((*at, part, *path), message)
    pdb, hpa = model.pdbSpec, model.hpaSpec
    needs = [(*at, "pdbSpec", name) for name in ("minAvailable", "maxUnavailable")]
    if pdb is not None and (pdb.minAvailable is None) == (pdb.maxUnavailable is None):
        report.add((*at, "pdbSpec"), "needs one of minAvailable and maxUnavailable, not both", needs)
    if hpa is not None and hpa.minReplicas is not None and hpa.minReplicas > hpa.maxReplicas:
        message = f"must not be above maxReplicas ({hpa.maxReplicas}), but is {hpa.minReplicas}"
        report.add((*at, "hpaSpec", "minReplicas"), message, [(*at, "hpaSpec", "maxReplicas")])


def _check_numbers(annotations: Mapping[str, str], at: Path, report: Report) -> None:
    for key in NUMBERS:
        if key in annotations and not re.fullmatch(r"-?[0-9]{1,9}", annotations[key]):
            report.add((*at, key), f'must be a whole number, not "{annotations[key]}"')


def _check_label(name: str, at: Path, report: Report, dots: bool = False) -> None:
    """Kubernetes refuses objects with other names, which are made of this one."""
    parts = name.split(".") if dots else [name]
    if not all(_LABEL.fullmatch(part) for part in parts):
        report.add(at, f'{_LABEL_SAID}, which "{name}" is not')
