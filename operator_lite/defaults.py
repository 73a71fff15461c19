"""Owns what a SeldonDeployment leaves unsaid: types, ports, hosts, and containers for prepackaged servers.

Must not change the stored resource, nor anything of a container that its author wrote.

The result says all of it in place, so that whoever makes objects of it decides nothing again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from executor.manifest import seldon
from executor.manifest.seldon_shape import (
    DeploymentModel,
    EndpointModel,
    Opaque,
    ParameterModel,
    PodModel,
    PredictorModel,
    UnitModel,
)
from operator_lite import names
from operator_lite.config import Config

SEPARATE = "seldon.io/engine-separate-pod"
NONE_GIVEN = "UNKNOWN_IMPLEMENTATION"


def units(graph: UnitModel) -> Iterator[UnitModel]:
    """All nodes, depth first, parents before children."""
    yield graph
    for child in graph.children:
        yield from units(child)


def is_separate(model: DeploymentModel) -> bool:
    """Whether executors have pods of their own."""
    return model.spec.annotations.get(SEPARATE, "").lower() == "true"


def is_server(unit: UnitModel) -> bool:
    """Whether a prepackaged server runs the node."""
    named = unit.implementation not in (None, "", NONE_GIVEN)
    return named and not seldon.is_builtin(unit.implementation)


def kind_of(unit: UnitModel) -> dict[str, str | None]:
    """Type and implementation of a node, by their fields' names."""
    bare = unit.type is None and not unit.methods and unit.implementation in (None, "UNKNOWN_IMPLEMENTATION")
    return {
        "type": "MODEL" if bare or is_server(unit) else unit.type,
        "implementation": unit.implementation or NONE_GIVEN,
    }


def filled(model: DeploymentModel, config: Config) -> DeploymentModel:
    """The resource with everything said that it leaves open."""
    metrics = {config.metrics_port_name: config.node_metrics_port}
    ports = _Ports({**metrics, "http": config.node_http_port, "grpc": config.node_grpc_port})
    predictors = [_predictor(model, each, ports, config) for each in model.spec.predictors]
    spec = model.spec.model_copy(update={"predictors": predictors})
    return model.model_copy(update={"spec": spec})


@dataclass
class _Ports:
    """Numbers that are handed out over the whole resource, each kind of port from a number of its own."""

    next: dict[str, int]
    """By the name of the port."""
    kept: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, name: str, container: Opaque) -> int:
        """The port `name` of a container; a container that comes again gets the same, unless it has no room for it."""
        found = self.kept.get((name, container["name"]))
        if found is None or free(container, name, found) != found:
            found = self.kept[name, container["name"]] = self.fresh(name, container)
        return found

    def fresh(self, name: str, container: Opaque) -> int:
        """A port `name` for one more container."""
        found = free(container, name, self.next[name])
        self.next[name] = found + 1
        return found


def _predictor(model: DeploymentModel, predictor: PredictorModel, ports: _Ports, config: Config) -> PredictorModel:
    pods = _with_servers(predictor, [*predictor.componentSpecs, *predictor.componentSpec])
    nodes = {unit.name for unit in units(predictor.graph)}
    pods = [_with_ports(pod, nodes, ports, config) for pod in pods]
    update = {
        "componentSpecs": pods,
        "componentSpec": [],
        "labels": {"version": predictor.name, **predictor.labels},
    }
    done = predictor.model_copy(update=update)
    hosts = _Hosts(model, done)
    return done.model_copy(update={"graph": hosts.placed(predictor.graph)})


def _with_servers(predictor: PredictorModel, pods: list[PodModel]) -> list[PodModel]:
    """The pods, and in the first one a container for each server that has none."""
    known = predictor.containers()
    lacking = [{"name": unit.name} for unit in units(predictor.graph) if is_server(unit) and unit.name not in known]
    if not lacking:
        return pods
    first, *rest = pods or [PodModel()]
    spec = {**first.spec, "containers": [*(first.spec.get("containers") or []), *lacking]}
    return [first.model_copy(update={"spec": spec}), *rest]


def _with_ports(pod: PodModel, nodes: set[str], ports: _Ports, config: Config) -> PodModel:
    containers = [_ported(each, ports, config) if each.get("name") in nodes else each for each in pod.containers()]
    return pod.model_copy(update={"spec": {**pod.spec, "containers": containers}}) if containers else pod


def _ported(container: Opaque, ports: _Ports, config: Config) -> Opaque:
    """The container with its three ports; those that it names itself stay."""
    for name in ("http", "grpc"):
        container = with_port(container, name, ports.of(name, container))
    if port(container, config.metrics_port_name):
        return container
    return with_port(container, config.metrics_port_name, ports.fresh(config.metrics_port_name, container))


def port(container: Opaque, name: str) -> int:
    """The number of a port by its name; 0 if there is none."""
    return next((int(each["containerPort"]) for each in container.get("ports") or [] if each.get("name") == name), 0)


def free(container: Opaque, name: str, number: int) -> int:
    """The first number from `number` on that the container does not have under another name already: Kubernetes is
    told each number once.
    """
    others = {each["containerPort"] for each in _tcp(container) if each.get("name") not in (None, "", name)}
    return next(each for each in count(number) if each not in others)


def with_port(container: Opaque, name: str, number: int) -> Opaque:
    """The container with a port of that name. A number that its author wrote down without a name is that port."""
    if port(container, name):
        return container
    added = {"name": name, "containerPort": number, "protocol": "TCP"}
    written = next((each for each in _tcp(container) if each["containerPort"] == number), None)
    if written is None:
        return {**container, "ports": [*(container.get("ports") or []), added]}
    return {**container, "ports": [{**each, **added} if each is written else each for each in container["ports"]]}


def _tcp(container: Opaque) -> list[Opaque]:
    return [each for each in container.get("ports") or [] if each.get("protocol") in (None, "", "TCP")]


class _Hosts:
    """Where the nodes of one predictor are reached."""

    def __init__(self, model: DeploymentModel, predictor: PredictorModel) -> None:
        self.model = model
        self.predictor = predictor
        first = predictor.componentSpecs[:1] if not is_separate(model) else []
        self.beside = {container.get("name") for pod in first for container in pod.containers()}
        self.containers = predictor.containers()

    def placed(self, unit: UnitModel) -> UnitModel:
        """`unit`, and all below it, with type, endpoint and parameters in full."""
        update = {
            **kind_of(unit),
            "parameters": [_text(each) for each in unit.parameters],
            "endpoint": self._endpoint(unit),
            "children": [self.placed(child) for child in unit.children],
        }
        return unit.model_copy(update=update)

    def _endpoint(self, unit: UnitModel) -> EndpointModel:
        container = self.containers.get(unit.name)
        if container is None:
            return unit.endpoint
        http, grpc = port(container, "http"), port(container, "grpc")
        update = {
            "service_host": self._host(unit.name),
            "service_port": grpc if speaks_grpc(unit, self.model) else http,
            "httpPort": http,
            "grpcPort": grpc,
        }
        return unit.endpoint.model_copy(update=update)

    def _host(self, name: str) -> str:
        if name in self.beside:
            return "localhost"
        service = names.container(self.model.metadata.name, self.predictor, name)
        return f"{service}.{self.model.metadata.namespace}.svc.cluster.local"


def speaks_grpc(unit: UnitModel, model: DeploymentModel) -> bool:
    """Whether gRPC is what the node is probed by."""
    return unit.endpoint.type == "GRPC" or (unit.endpoint.type is None and model.spec.transport == "grpc")


def _text(parameter: ParameterModel) -> ParameterModel:
    value = parameter.value
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return parameter.model_copy(update={"value": text})
