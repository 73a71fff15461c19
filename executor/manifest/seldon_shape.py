"""Owns the shape of Seldon Core v1's SeldonDeployment: its fields, their types, and what each is for.

Must not hold rules that join fields (`executor.manifest.seldon` does). What stands under a field is its description in
the custom resource too.
"""
# ruff: noqa: N815, RUF012 (fields are named as manifests name them; pydantic copies mutable defaults)

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from executor.manifest.shape import Model, OneOrMore

Name = Annotated[str, Field(min_length=1)]
ProtocolName = Literal["seldon", "tensorflow", "v2", "kfserving"]
TransportName = Literal["rest", "grpc"]
Opaque = dict[str, Any]
"""Kubernetes' business: carried along, never looked into."""
IntOrText = int | str
NO_ENGINE, SERVICE_NAME = "seldon.io/no-engine", "seldon.io/svc-name"
"""Annotations of predictors."""


class ParameterModel(Model):
    name: Name
    """Name of the argument."""
    value: Any
    """Its value, as text."""
    type: Literal["INT", "FLOAT", "DOUBLE", "STRING", "BOOL"]
    """What the text stands for."""


class EndpointModel(Model):
    service_host: str = ""
    """Host that the node listens on; filled in for nodes that run in containers of this deployment."""
    service_port: int = 0
    """Port, where one serves all."""
    type: Literal["REST", "GRPC"] | None = None
    """How the node is spoken to."""
    httpPort: int = 0
    """Port for REST."""
    grpcPort: int = 0
    """Port for gRPC."""


class LoggerModel(Model):
    mode: Literal["request", "response", "all"]
    """Which payloads are logged."""
    url: str = ""
    """Where they are sent; the operator's default if it is left out."""


class UnitModel(Model):
    """A predictive unit: a node of the graph."""

    name: Name
    """Name of the node; a container of the same name runs it."""
    children: OneOrMore["UnitModel"] = []
    """Nodes below this one, of the same form."""
    type: Literal["MODEL", "ROUTER", "COMBINER", "TRANSFORMER", "OUTPUT_TRANSFORMER", "UNKNOWN_TYPE"] | None = None
    """What the node is; MODEL where nothing else says it."""
    implementation: str | None = None
    """A built-in or a prepackaged server, in place of a container of the user's."""
    methods: list[Literal["TRANSFORM_INPUT", "TRANSFORM_OUTPUT", "ROUTE", "AGGREGATE", "SEND_FEEDBACK"]] = []
    """Calls that are made on top of those of the type."""
    endpoint: EndpointModel = EndpointModel()
    """Where the node is reached."""
    parameters: OneOrMore[ParameterModel] = []
    """Arguments of the node's code."""
    modelUri: str = ""
    """Where the model's files are; they are fetched to /mnt/models before the node starts."""
    serviceAccountName: str = ""
    """Service account of the pod that fetches the model."""
    envSecretRefName: str = ""
    """Secret whose entries are environment variables for the fetching of the model."""
    storageInitializerImage: str = ""
    """Image that fetches the model, in place of the operator's."""
    logger: LoggerModel | None = None
    """Which payloads of the node are logged."""


class HpaModel(Model):
    minReplicas: int | None = None
    """Fewest pods."""
    maxReplicas: int
    """Most pods."""
    metrics: list[Opaque] = []
    """Metrics in the form of autoscaling/v2beta1; they win over metricsv2."""
    metricsv2: list[Opaque] = []
    """Metrics in the form of autoscaling/v2."""


class KedaModel(Model):
    pollingInterval: int | None = None
    """Seconds between looks at the triggers."""
    cooldownPeriod: int | None = None
    """Seconds of silence before scaling to none."""
    minReplicaCount: int | None = None
    """Fewest pods."""
    maxReplicaCount: int | None = None
    """Most pods."""
    advanced: Opaque | None = None
    """KEDA's advanced settings."""
    triggers: list[Opaque]
    """What scales, in KEDA's form."""
    idleReplicaCount: int | None = None
    """Pods while no trigger is active."""
    fallback: Opaque | None = None
    """Pods while a trigger cannot be read."""


class PdbModel(Model):
    minAvailable: IntOrText | None = None
    """Pods that must stay, a number or per cent."""
    maxUnavailable: IntOrText | None = None
    """Pods that may go, a number or per cent."""


class PodModel(Model):
    metadata: Opaque = {}
    """Name, labels and annotations of the pods."""
    spec: Opaque = {}
    """The pod, in Kubernetes' form; it is passed on as it is."""
    replicas: int | None = None
    """Number of pods."""
    hpaSpec: HpaModel | None = None
    """Scales the pods by metrics."""
    kedaSpec: KedaModel | None = None
    """Scales the pods by KEDA; wins over hpaSpec."""
    pdbSpec: PdbModel | None = None
    """How many pods may be away when nodes are drained."""

    def containers(self) -> Iterator[Opaque]:
        """The containers of the pod, as far as they look like any."""
        listed = self.spec.get("containers")
        yield from (each for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()


class OrchestratorModel(Model):
    resources: Opaque = {}
    """Resources of the executor's container."""
    env: list[Opaque] = []
    """Environment of the executor's container."""
    replicas: int | None = None
    """Number of pods, where the executor has pods of its own."""


class ExplainerModel(Model):
    type: str = ""
    """Which explainer; none if it is empty."""
    modelUri: str = ""
    """Where the explainer's files are."""
    serviceAccountName: str = ""
    """Service account of the explainer's pod."""
    containerSpec: Opaque | None = None
    """The explainer's container, in Kubernetes' form, for what is not as the operator would make it."""
    config: dict[str, str] = {}
    """Further options of the explainer."""
    endpoint: EndpointModel = EndpointModel()
    """The port that it listens on."""
    envSecretRefName: str = ""
    """Secret whose entries are environment variables for the fetching of its files."""
    storageInitializerImage: str = ""
    """Image that fetches its files, in place of the operator's."""
    replicas: int | None = None
    """Number of pods."""
    initParameters: str = ""
    """Arguments of the explainer, as a JSON object."""


class SslModel(Model):
    certSecretName: str = ""
    """Secret with tls.crt and tls.key."""


class PredictorModel(Model):
    name: Name
    """Name of the predictor, unique in the deployment."""
    graph: UnitModel
    """The root of the graph."""
    componentSpecs: OneOrMore[PodModel] = []
    """Pods that run the graph's nodes."""
    componentSpec: OneOrMore[PodModel] = []
    """The name before v1alpha2, with a single pod."""
    replicas: int | None = None
    """Number of pods, where componentSpecs do not say it."""
    annotations: dict[str, str] = {}
    """Annotations of all pods of the predictor, and settings."""
    engineResources: Opaque = {}
    """Without effect; see svcOrchSpec."""
    labels: dict[str, str] = {}
    """Labels of all pods of the predictor."""
    svcOrchSpec: OrchestratorModel = OrchestratorModel()
    """The executor."""
    traffic: int = 0
    """Share of the requests, in per cent."""
    explainer: ExplainerModel | None = None
    """Explains the predictor's answers."""
    shadow: bool = False
    """Gets a copy of the requests; its answers go nowhere."""
    ssl: SslModel | None = None
    """Serve over TLS."""
    progressDeadlineSeconds: int | None = None
    """How long an update may take before it counts as failed."""
    protocol: ProtocolName | None = None
    transport: TransportName | None = None
    """Published manifests have these two here as well as in `spec`. A cluster drops them, so they have no effect."""

    @property
    def has_engine(self) -> bool:
        """Whether an executor stands before the graph."""
        return self.annotations.get(NO_ENGINE) != "true"

    def containers(self) -> dict[str, Opaque]:
        """The containers of all pods, by name."""
        found = (container for pod in [*self.componentSpecs, *self.componentSpec] for container in pod.containers())
        return {str(container.get("name", "")): container for container in found}


class DeploymentSpecModel(Model):
    name: str = ""
    """Without effect."""
    predictors: OneOrMore[PredictorModel]
    """The graphs that share the traffic."""
    oauth_key: str = ""
    """Without effect."""
    oauth_secret: str = ""
    """Without effect."""
    annotations: dict[str, str] = {}
    """Annotations of all pods, and settings."""
    protocol: ProtocolName = "seldon"
    """What clients and nodes speak."""
    transport: TransportName | None = None
    """Which of its ports a node is probed at; both are served."""
    replicas: int | None = None
    """Number of pods, where predictors do not say it."""
    serverType: Literal["rpc", "kafka"] = "rpc"
    """How requests come."""


class MetadataModel(Model):
    model_config = ConfigDict(extra="ignore")

    name: Name
    namespace: str = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class DeploymentModel(Model):
    apiVersion: Literal[
        "machinelearning.seldon.io/v1", "machinelearning.seldon.io/v1alpha2", "machinelearning.seldon.io/v1alpha3"
    ]
    kind: Literal["SeldonDeployment"]
    metadata: MetadataModel
    spec: DeploymentSpecModel
    status: Any = None
