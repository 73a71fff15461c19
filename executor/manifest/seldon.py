"""Owns Seldon Core v1's SeldonDeployment: its rules, and how it becomes a spec.

Must not decide how a graph is run; rules that hold for any graph are in `executor.graph.plan`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from executor.graph import plan, spec
from executor.graph.builtin import BUILTINS, LEARNING
from executor.manifest import local, seldon_cluster, servers
from executor.manifest.document import Document, Path
from executor.manifest.local import Paths
from executor.manifest.parameters import typed
from executor.manifest.profile import Profile, Terms
from executor.manifest.seldon_shape import (
    NO_ENGINE,
    SERVICE_NAME,
    DeploymentModel,
    DeploymentSpecModel,
    EndpointModel,
    Opaque,
    ParameterModel,
    PredictorModel,
    UnitModel,
)
from executor.manifest.shape import Report, described, fit, hint, listing
from executor.types import Method

KIND = "SeldonDeployment"
GROUP = "machinelearning.seldon.io/"
SERVERS = servers.SELDON
CLUSTER_DEPTH_MAX = 11
"""The resource's schema is unrolled: a root and ten levels of children; a cluster drops what lies deeper."""

_NO_TENSORFLOW = ("SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER")
_KAFKA_ENV = ("KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC")
_NONE_GIVEN = (None, "UNKNOWN_IMPLEMENTATION")


def claims(api_version: str, kind: str) -> bool:
    """Whether a document with this head is for this module."""
    return kind == KIND and api_version.startswith(GROUP)


def predictors(document: Document) -> tuple[str, ...]:
    """The names of the predictors, however wrong the rest of the document may be."""
    body = document.value.get("spec")
    listed = body.get("predictors") if isinstance(body, dict) else None
    each = [listed] if isinstance(listed, dict) else listed if isinstance(listed, list) else []
    return tuple(str(one.get("name", "")) for one in each if isinstance(one, dict))


def build(report: Report, terms: Terms) -> spec.Deployment:
    """The report's document as a spec; what is wrong with it goes to the report."""
    return _built(fit(DeploymentModel, report), report, terms)


def admit(report: Report, terms: Terms) -> DeploymentModel:
    """The report's document as it is written, under the same checks: for those who make objects of it."""
    model = fit(DeploymentModel, report)
    _built(model, report, terms)
    return model


def is_builtin(implementation: str | None) -> bool:
    """Whether the executor does the node's work itself, so that nothing else has to run it."""
    return implementation in BUILTINS


def learns(implementation: str | None) -> bool:
    """Whether this is a router that learns from feedback, and so has something to keep."""
    return implementation in {each.name for each in LEARNING}


def _built(model: DeploymentModel, report: Report, terms: Terms) -> spec.Deployment:
    _check_deployment(model.spec, ("spec",), report, terms)
    paths: Paths = {}
    built = tuple(
        _predictor(each, ("spec", "predictors", index), model.spec.protocol, report, terms, paths)
        for index, each in enumerate(model.spec.predictors)
    )
    local.check_reached(built, paths, report, terms)
    if terms.profile is Profile.CLUSTER:
        seldon_cluster.check(model, report, terms)
    return spec.Deployment(
        name=model.metadata.name,
        predictors=built,
        namespace=model.metadata.namespace,
        protocol=model.spec.protocol,
        transport=model.spec.transport or "",
        server_type=model.spec.serverType,
        annotations=model.spec.annotations,
        labels=model.metadata.labels,
        replicas=model.spec.replicas,
        line=report.document.mark(()).line,
    )


def build_predictor(report: Report, terms: Terms, protocol: str) -> spec.Predictor:
    """The report's document, which is a predictor and nothing around it, as a spec."""
    model = fit(PredictorModel, report)
    paths: Paths = {}
    built = _predictor(model, (), protocol, report, terms, paths)
    local.check_reached([built], paths, report, terms)
    return built


def _check_deployment(model: DeploymentSpecModel, path: Path, report: Report, terms: Terms) -> None:
    if not model.predictors:
        report.add((*path, "predictors"), "the graph has no predictors; at least one is needed")
    seen: dict[str, int] = {}
    for index, each in enumerate(model.predictors):
        if seen.setdefault(each.name, index) != index:
            where = (*path, "predictors", index, "name")
            report.add(where, f'duplicate predictor name "{each.name}"; predictors[{seen[each.name]}] has it too')
    if terms.profile is Profile.CLUSTER:
        _check_traffic(model, path, report)
        _check_services(model, path, report)
    else:
        _check_supported(model, path, report)


def _check_supported(model: DeploymentSpecModel, path: Path, report: Report) -> None:
    said: list[tuple[Path, str | None, str]] = [(("protocol",), model.protocol, "seldon")]
    said += [
        (("predictors", index, "protocol"), each.protocol, "seldon") for index, each in enumerate(model.predictors)
    ]
    for at, value, allowed in [*said, (("serverType",), model.serverType, "rpc")]:
        if value not in (None, allowed):
            report.add((*path, *at), f"{at[-1]} {value} is not supported by millrace run{listing([allowed])}")


def _check_traffic(model: DeploymentSpecModel, path: Path, report: Report) -> None:
    at = (*path, "predictors")
    shadows = [index for index, each in enumerate(model.predictors) if each.shadow]
    total = sum(each.traffic for each in model.predictors if not each.shadow)
    needs = [(*at, index, field) for index in range(len(model.predictors)) for field in ("traffic", "shadow")]
    if len(model.predictors) == 1:
        if shadows:
            report.add((*at, 0, "shadow"), "the only predictor cannot be a shadow")
        elif 0 < total < 100:
            report.add((*at, 0, "traffic"), f"traffic of a single predictor must be 100 when it is set, not {total}")
    elif len(model.predictors) - len(shadows) > 1 and total != 100:
        report.add(at, f"traffic of the predictors must sum to 100, not {total}", needs)
    for index in shadows[1:]:
        report.add((*at, index, "shadow"), "only one predictor can be a shadow")
    for index in shadows:
        if not 0 <= model.predictors[index].traffic <= 100:
            traffic = model.predictors[index].traffic
            report.add((*at, index, "traffic"), f"traffic of a shadow must be 0 to 100, not {traffic}")


def _check_services(model: DeploymentSpecModel, path: Path, report: Report) -> None:
    names = Counter(each.annotations[SERVICE_NAME] for each in model.predictors if SERVICE_NAME in each.annotations)
    for index, each in enumerate(model.predictors):
        at = (*path, "predictors", index)
        name = each.annotations.get(SERVICE_NAME, "")
        if names[name] > 1:
            report.add((*at, "annotations", SERVICE_NAME), f'service name "{name}" is used by more than one predictor')
        if model.serverType == "kafka":
            given = {entry.get("name") for entry in each.svcOrchSpec.env}
            lacking = [env for env in _KAFKA_ENV if env not in given]
            if lacking:
                message = f"serverType kafka needs {', '.join(lacking)} in svcOrchSpec.env"
                report.add((*at, "svcOrchSpec", "env"), message)


def _predictor(
    model: PredictorModel, path: Path, protocol: str, report: Report, terms: Terms, paths: Paths
) -> spec.Predictor:
    lowering = _Lowering(report, model.containers(), paths)
    root = lowering.node(model.graph, (*path, "graph"))
    cluster = terms.profile is Profile.CLUSTER
    depth_max = CLUSTER_DEPTH_MAX if cluster else plan.DEPTH_MAX
    for fault in plan.check(root, depth_max, idle=cluster or terms.idle, untyped=terms.idle):
        at = paths[id(fault.node)]
        report.add((*at, fault.field) if fault.field else at, fault.message)
    if cluster:
        _check_no_engine(model, path, report)
        for at, unit in lowering.units:
            _check_unit(unit, at, lowering.containers, protocol, report, terms)
    return spec.Predictor(
        name=model.name,
        graph=root,
        annotations=model.annotations,
        labels=model.labels,
        replicas=model.replicas,
        traffic=model.traffic,
        shadow=model.shadow,
        pods=tuple(pod.model_dump(exclude_unset=True) for pod in [*model.componentSpecs, *model.componentSpec]),
        path=report.document.named(path),
        line=report.document.mark(path).line,
    )


def _check_no_engine(model: PredictorModel, path: Path, report: Report) -> None:
    """Seldon asks this of any value of the annotation."""
    if NO_ENGINE in model.annotations and model.graph.children:
        report.add((*path, "annotations", NO_ENGINE), "a graph of more than one node cannot run without the engine")


def _check_unit(
    unit: UnitModel, at: Path, containers: Mapping[str, Opaque], protocol: str, report: Report, terms: Terms
) -> None:
    """Seldon's own rules for a node: something has to run it."""
    container = containers.get(unit.name)
    written = (*at, "implementation")
    if unit.implementation in _NONE_GIVEN:
        if container is None:
            found = f"; containers: {', '.join(containers)}" if containers else "; there are no containers"
            message = f'no container is named "{unit.name}"{hint(unit.name, containers)}{found}'
            report.add((*at, "name"), message, [written])
        return
    implementation = unit.implementation or ""
    if implementation in BUILTINS:
        return
    offered = SERVERS if terms.servers is None else tuple(terms.servers)
    if implementation not in offered and not (container or {}).get("image"):
        known = (*BUILTINS, *offered)
        report.add(written, f'no server is known as "{implementation}"{hint(implementation, known)}{listing(known)}')
    elif not unit.modelUri and implementation != "HUGGINGFACE_SERVER":
        report.add((*at, "modelUri"), f"{implementation} needs a modelUri")
    if protocol == "tensorflow" and implementation in _NO_TENSORFLOW:
        report.add(written, f"{implementation} does not speak protocol tensorflow")


class _Lowering:
    """Makes spec nodes of the units of one graph, and remembers where each came from."""

    def __init__(self, report: Report, containers: Mapping[str, Opaque], paths: Paths) -> None:
        self.report = report
        self.containers = containers
        self.paths = paths
        self.units: list[tuple[Path, UnitModel]] = []

    def node(self, unit: UnitModel, path: Path) -> spec.Node:
        """`unit` and all below it as a spec."""
        self.units.append((path, unit))
        implementation = "" if unit.implementation in _NONE_GIVEN else unit.implementation or ""
        node = spec.Node(
            name=unit.name,
            type=_type_of(unit, implementation),
            implementation=implementation,
            methods=tuple(Method[method] for method in dict.fromkeys(unit.methods)),
            parameters=tuple(self._parameters(unit.parameters, (*path, "parameters"))),
            endpoint=_endpoint(unit.endpoint),
            model_uri=unit.modelUri,
            logger=spec.Logger(unit.logger.mode, unit.logger.url) if unit.logger else None,
            image=str(self.containers.get(unit.name, {}).get("image", "")),
            children=tuple(self.node(child, (*path, "children", i)) for i, child in enumerate(unit.children)),
            path=self.report.document.named(path),
            line=self.report.document.mark(path).line,
        )
        self.paths[id(node)] = path
        return node

    def _parameters(self, models: list[ParameterModel], path: Path) -> Iterator[spec.Parameter]:
        for index, model in enumerate(models):
            at = (*path, index, "value")
            text = self.report.document.text(at)
            try:
                if text is None:
                    raise ValueError(f"{described(model.value)} is no {model.type}")
                value = typed(model.type, text)
            except ValueError as error:
                self.report.add(at, str(error), [(*path, index, "type")])
            else:
                yield spec.Parameter(model.name, value, model.type, text)


def _type_of(unit: UnitModel, implementation: str) -> spec.NodeType:
    """Seldon's defaults: a prepackaged server is a MODEL, and so is a node that says nothing of itself."""
    if implementation and implementation not in BUILTINS:
        return spec.NodeType.MODEL
    if unit.type is None and not unit.methods and not implementation:
        return spec.NodeType.MODEL
    return spec.NodeType(unit.type or "UNKNOWN_TYPE")


def _endpoint(model: EndpointModel) -> spec.Endpoint:
    kind = spec.Transport(model.type) if model.type else None
    return spec.Endpoint(model.service_host, model.service_port, model.httpPort, model.grpcPort, kind)
