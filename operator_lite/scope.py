"""Owns one predictor together with all that its objects depend on, and what an object is. Must not make any."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.manifest import seldon
from executor.manifest.seldon_shape import (
    DeploymentModel,
    ExplainerModel,
    Opaque,
    PodModel,
    PredictorModel,
    UnitModel,
)
from operator_lite import defaults, names
from operator_lite.config import Config

Object = dict[str, Any]
"""A Kubernetes object, or a part of one."""

V2 = ("v2", "kfserving")
"""Two names of one protocol."""


def key(found: Mapping[str, Any]) -> tuple[str, str]:
    """What tells an object from the others of its namespace."""
    return found["kind"], found["metadata"]["name"]


@dataclass(frozen=True, slots=True)
class Scope:
    """A predictor, in full by `defaults.filled`."""

    model: DeploymentModel
    predictor: PredictorModel
    config: Config

    @property
    def name(self) -> str:
        """The resource's."""
        return self.model.metadata.name

    @property
    def namespace(self) -> str:
        """The resource's."""
        return self.model.metadata.namespace

    @property
    def id(self) -> str:
        """What all of the resource's objects are labelled with."""
        return names.short(self.name)

    @property
    def service(self) -> str:
        """The name of the predictor's Service."""
        return names.predictor(self.name, self.predictor)

    @property
    def protocol(self) -> str:
        """What clients and nodes speak."""
        return self.model.spec.protocol

    @property
    def secret(self) -> str:
        """That with the certificate to serve with; empty without TLS."""
        return self.predictor.ssl.certSecretName if self.predictor.ssl else ""

    @property
    def has_engine(self) -> bool:
        """Whether an executor stands before the graph."""
        return self.predictor.has_engine

    @property
    def explainer(self) -> ExplainerModel | None:
        """What explains the predictor's answers; one that names no type is none."""
        found = self.predictor.explainer
        return found if found is not None and found.type else None

    @property
    def units(self) -> list[UnitModel]:
        """All nodes, the root first."""
        return list(defaults.units(self.predictor.graph))

    @property
    def learns(self) -> bool:
        """Whether the executor keeps what a router of its own learns."""
        return self.has_engine and any(seldon.learns(unit.implementation) for unit in self.units)

    def annotation(self, key: str, default: str = "") -> str:
        """One that sets something: those of the spec go before those of the resource."""
        return self.model.spec.annotations.get(key, self.model.metadata.annotations.get(key, default))

    def pods(self) -> Iterator[tuple[int, PodModel]]:
        """The componentSpecs that have containers, with their index."""
        for index, pod in enumerate(self.predictor.componentSpecs):
            if any(pod.containers()):
                yield index, pod

    def nodes_in(self, pod: PodModel) -> dict[str, UnitModel]:
        """The nodes that run in a pod, by the name of their container, in the order of the containers."""
        by_name = {unit.name: unit for unit in self.units}
        found = [str(each.get("name", "")) for each in pod.containers()]
        return {name: by_name[name] for name in found if name in by_name}

    @property
    def front(self) -> str:
        """The node whose pods answer clients: they hold the executor, or it is the root where there is none.
        Empty: the executor has pods of its own.
        """
        local = [unit.name for unit in self.units if unit.endpoint.service_host == "localhost"]
        return next(iter(local), "") if self.has_engine else self.predictor.graph.name

    def home(self) -> int | None:
        """The componentSpec of those pods."""
        return next((index for index, pod in self.pods() if self.front in self.nodes_in(pod)), None)

    def container(self, name: str) -> Opaque:
        """A node's container as the resource has it; empty if it has none."""
        return self.predictor.containers().get(name, {})

    def user(self, node: str) -> int | None:
        """Whom the pod of a node runs as; None: whom its images say. What is no node has a pod that says nothing."""
        said = self._security(node)
        found: int | None = said.get("runAsUser") if said else self.config.user
        return found

    def user_of_ours(self, node: str) -> int | None:
        """Whom containers that we put into the pod of a node run as: the same, where its author says a user."""
        found: int | None = self._security(node).get("runAsUser", self.config.user)
        return found

    def _security(self, node: str) -> Object:
        said = (pod.spec.get("securityContext") or {} for _, pod in self.pods() if node in self.nodes_in(pod))
        return next(said, {})

    def labels(self) -> dict[str, str]:
        """What every object of the predictor is labelled with."""
        return {names.MANAGED_BY: "seldon-core", names.ID: self.id}

    def meta(
        self, name: str, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None
    ) -> Object:
        """The metadata of an object."""
        found: Object = {"name": name, "namespace": self.namespace, "labels": {**self.labels(), **(labels or {})}}
        return {**found, "annotations": dict(annotations)} if annotations else found


def sharing(scopes: Sequence[Scope]) -> list[tuple[Scope, int]]:
    """The predictors that requests are shared out over, and the weight of each."""
    found = [scope for scope in scopes if not scope.predictor.shadow]
    return [(scope, scope.predictor.traffic if len(found) > 1 else 100) for scope in found]
