"""Owns how a SeldonDeployment, as the API server holds it, is read: checked whole, by the rules of `millrace check`.

Must not fill anything in: `operator_lite.defaults` does.
"""

from collections.abc import Mapping
from typing import Any

from executor.errors import ManifestError
from executor.manifest import document, seldon
from executor.manifest.document import Path
from executor.manifest.profile import Profile, Terms
from executor.manifest.seldon_shape import DeploymentModel, Opaque, UnitModel
from executor.manifest.shape import Report, listing
from operator_lite import defaults
from operator_lite.config import Config

GROUP = "machinelearning.seldon.io"
PLURAL = "seldondeployments"
STORED = "v1"
SERVED = (STORED, "v1alpha2", "v1alpha3")
CONTROLLER = "seldon.io/controller-id"


def read(found: Mapping[str, Any], config: Config) -> DeploymentModel:
    """The resource as it is written. Raises ManifestError with everything that is wrong with it."""
    return admit(document.of(found), config)


def admit(found: document.Document, config: Config) -> DeploymentModel:
    """The same of a document of a file, whose lines the error then names."""
    report = Report(found)
    terms = Terms(
        Profile.CLUSTER,
        servers=config.known_servers(),
        protocols=config.protocols(),
        server_types=config.server_types(),
    )
    model = seldon.admit(report, terms)
    for index, each in enumerate(model.spec.predictors):
        _check_images(each.graph, ("spec", "predictors", index, "graph"), model, each.containers(), report, config)
    if report.problems:
        raise ManifestError(report.sorted(), f"{seldon.KIND} {model.metadata.namespace}/{model.metadata.name}")
    return model


def _check_images(
    unit: UnitModel,
    at: Path,
    model: DeploymentModel,
    containers: Mapping[str, Opaque],
    report: Report,
    config: Config,
) -> None:
    """A server's image depends on the protocol, unless its container names one."""
    name, protocol = unit.implementation or "", model.spec.protocol
    images = config.images(name) if defaults.is_server(unit) else {}
    if images and config.server(name, protocol) is None and not containers.get(unit.name, {}).get("image"):
        message = f"{name} has no image for protocol {protocol}{listing(images)}"
        report.add((*at, "implementation"), message, [("spec", "protocol")])
    for index, child in enumerate(unit.children):
        _check_images(child, (*at, "children", index), model, containers, report, config)


def told(error: ManifestError) -> str:
    """What is wrong, in one text: the refusal of a webhook, or the description of a status."""
    return "; ".join(f"{each.path}: {each.message}" if each.path else each.message for each in error.problems)


def warnings(model: DeploymentModel) -> list[str]:
    """What has no effect here, though it did with Seldon's operator."""
    keys = {*model.spec.annotations, *model.metadata.annotations}
    keys |= {key for each in model.spec.predictors for key in each.annotations}
    found = sorted(key for key in keys if key.startswith("seldon.io/ambassador-"))
    return [f"annotation {key} is ignored: routes are made for the Gateway API or Istio" for key in found]


def is_ours(found: Mapping[str, Any], config: Config, namespace_labels: Mapping[str, str] | None = None) -> bool:
    """Whether this operator takes care of the resource: its `seldon.io/controller-id` says so.

    `namespace_labels` are for an operator of the whole cluster: one whose label is on the namespace has it to itself.
    """
    labels = found.get("metadata", {}).get("labels") or {}
    return CONTROLLER not in (namespace_labels or {}) and str(labels.get(CONTROLLER, "")) == config.controller_id
