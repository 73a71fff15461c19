"""Owns the operator's configuration: its defaults, and how environment and config map change them.

Must not read either: they come as mappings. A config map wins over the environment, `RELATED_IMAGE_…` over the images
of either.

Names of Seldon's operator mean what they mean there. The config map takes the same names, and three keys with JSON:
`predictor_servers`, `storageInitializer` and `explainer`, in the form of Seldon's `seldon-config`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from executor import __version__
from executor.errors import ManifestError, Problem
from executor.manifest import servers

IMAGE = f"millrace/millrace:{__version__}"
MODELS = "/mnt/models"
Server = Mapping[str, "Image"]
"""A prepackaged server: protocol → image."""


@dataclass(frozen=True, slots=True)
class Image:
    """What is run."""

    name: str
    args: tuple[str, ...] = ()
    """What to say to it first. Our one image is all of these programs, others are one each."""

    @property
    def is_ours(self) -> bool:
        """Whether it is known to need no more than a restricted pod has."""
        return bool(self.args)


@dataclass(frozen=True, slots=True)
class Config:
    """All that is not in a SeldonDeployment itself."""

    image: str = IMAGE
    """Our own image."""
    engine_image: str = ""
    """That of the executor, where it is not ours."""
    engine_pull_policy: str = "IfNotPresent"
    engine_user: int = 8888
    engine_service_account: str = "default"
    engine_http_port: int = 8000
    engine_grpc_port: int = 5001
    engine_metrics_path: str = "/prometheus"
    engine_cpu: tuple[str, str] = ("500m", "500m")
    """Request and limit."""
    engine_memory: tuple[str, str] = ("512Mi", "512Mi")
    engine_full_checks: bool = False
    engine_protocols: tuple[str, ...] = ()
    """What the executor's image speaks. Others are refused when a resource is applied, not when its pods start.
    Empty: what ours does, or anything where the image is not ours.
    """
    logger_url: str = "http://default-broker"
    logger_queue: str = "10000"
    logger_timeout_ms: str = "2000"
    node_http_port: int = 9000
    node_grpc_port: int = 9500
    node_metrics_port: int = 6000
    metrics_port_name: str = "metrics"
    user: int | None = 8888
    """User of pods that say none."""
    credentials_secret: str = ""
    """For the fetching of models that name no secret."""
    cert_path: str = "/cert/"
    names_prefixed: bool = False
    keda: bool = False
    traffic: Literal["gateway", "istio", "none"] = "gateway"
    gateway: str = "istio-system/seldon-gateway"
    """The Gateway that routes attach to, as namespace/name."""
    gateway_http_listener: str = ""
    """The Gateway's listener for REST; any of them if empty."""
    gateway_grpc_listener: str = ""
    """Its listener for gRPC. Empty: gRPC has rules in the HTTPRoute, since a listener takes one kind for a host."""
    istio_tls_mode: str = ""
    state: str = "volume"
    """Where routers keep what they learn: `volume`, or the place that replicas share, redis://HOST:PORT[/DB]."""
    state_size: str = "1Gi"
    state_class: str = ""
    """Storage class of that volume; the cluster's default if empty."""
    servers: Mapping[str, Server] = field(default_factory=dict)
    """What the config map changes of the prepackaged servers."""
    initializer: Image | None = None
    """What fetches models, where it is not our image."""
    initializer_resources: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {
            "requests": {"cpu": "100m", "memory": "100Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        }
    )
    explainer_image: str = "seldonio/alibiexplainer:1.18.2"
    explainer_v2_image: str = "seldonio/mlserver:1.3.5-alibi-explain"
    controller_id: str = ""

    def server(self, implementation: str, protocol: str) -> Image | None:
        """The image of a prepackaged server; protocols v2 and kfserving stand in for each other."""
        images = self.images(implementation)
        other = {"v2": "kfserving", "kfserving": "v2"}.get(protocol, "")
        return images.get(protocol) or images.get(other)

    def images(self, implementation: str) -> Server:
        """The images of a prepackaged server."""
        known = {**self._own_servers(), **_FOREIGN}.get(implementation, {})
        return {**known, **self.servers.get(implementation, {})}

    def known_servers(self) -> tuple[str, ...]:
        """All prepackaged servers."""
        return tuple(dict.fromkeys([*self._own_servers(), *_FOREIGN, *self.servers]))

    def protocols(self) -> tuple[str, ...] | None:
        """What the executor speaks; None where nobody said."""
        return self.engine_protocols or (None if self.engine_image else ("seldon",))

    def server_types(self) -> tuple[str, ...] | None:
        """How requests may come to the executor; None likewise."""
        return None if self.engine_image else ("rpc",)

    def fetcher(self) -> Image:
        """What fetches models."""
        return self.initializer or Image(self.image, ("fetch",))

    def engine(self) -> Image:
        """What runs graphs."""
        return Image(self.engine_image) if self.engine_image else Image(self.image, ("executor",))

    def _own_servers(self) -> dict[str, Server]:
        # Probes, and executors in other pods, come by the pod's own address.
        own = {name: {"seldon": Image(self.image, ("node", name, "--host=0.0.0.0"))} for name in servers.HERE}
        return {name: {**images, **_FOREIGN_TOO.get(name, {})} for name, images in own.items()}


_FOREIGN_TOO = {
    name: {"v2": Image(f"seldonio/mlserver:1.3.5-{name.split('_')[0].lower()}")}
    for name in servers.HERE
    if name not in servers.OURS
}
_FOREIGN: dict[str, Server] = {
    "TENSORFLOW_SERVER": {
        "tensorflow": Image("tensorflow/serving:2.1.0"),
        "seldon": Image("seldonio/tfserving-proxy:1.18.2"),
    },
    "TRITON_SERVER": {"v2": Image("nvcr.io/nvidia/tritonserver:21.08-py3")},
    "HUGGINGFACE_SERVER": {"v2": Image("seldonio/mlserver:1.3.5-huggingface")},
    "TEMPO_SERVER": {"v2": Image("seldonio/mlserver:1.3.5-slim")},
}


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return text.lower() == "true"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError("must be a port from 1 to 65535")
    return int(text)


def _user(text: str) -> int | None:
    if text and not text.isdecimal():
        raise ValueError("must be a user's number, or empty for none")
    return int(text) if text else None


def _whole(text: str) -> str:
    return str(int(text))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return read


def _gateway(text: str) -> str:
    if text.count("/") != 1 or not all(text.split("/")):
        raise ValueError("must be namespace/name")
    return text


def _state(text: str) -> str:
    if text != "volume" and not text.startswith(("redis://", "rediss://")):
        raise ValueError("must be volume, redis://HOST:PORT[/DB] or rediss://HOST:PORT[/DB]")
    return text


_READ: dict[str, tuple[str, Callable[[str], Any]]] = {
    "MILLRACE_IMAGE": ("image", str),
    "EXECUTOR_CONTAINER_IMAGE_AND_VERSION": ("engine_image", str),
    "RELATED_IMAGE_EXECUTOR": ("engine_image", str),
    "EXECUTOR_CONTAINER_IMAGE_PULL_POLICY": ("engine_pull_policy", _one_of("Always", "IfNotPresent", "Never")),
    "EXECUTOR_CONTAINER_USER": ("engine_user", _user),
    "EXECUTOR_CONTAINER_SERVICE_ACCOUNT_NAME": ("engine_service_account", str),
    "EXECUTOR_SERVER_PORT": ("engine_http_port", _port),
    "EXECUTOR_SERVER_GRPC_PORT": ("engine_grpc_port", _port),
    "EXECUTOR_PROMETHEUS_PATH": ("engine_metrics_path", str),
    "EXECUTOR_FULL_HEALTH_CHECKS": ("engine_full_checks", _flag),
    "EXECUTOR_PROTOCOLS": ("engine_protocols", _listed),
    "EXECUTOR_REQUEST_LOGGER_DEFAULT_ENDPOINT": ("logger_url", str),
    "EXECUTOR_REQUEST_LOGGER_WORK_QUEUE_SIZE": ("logger_queue", _whole),
    "EXECUTOR_REQUEST_LOGGER_WRITE_TIMEOUT_MS": ("logger_timeout_ms", _whole),
    "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": ("node_http_port", _port),
    "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": ("node_grpc_port", _port),
    "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": ("node_metrics_port", _port),
    "PREDICTIVE_UNIT_METRICS_PORT_NAME": ("metrics_port_name", str),
    "PREDICTIVE_UNIT_DEFAULT_ENV_SECRET_REF_NAME": ("credentials_secret", str),
    "DEFAULT_USER_ID": ("user", _user),
    "DEFAULT_CERT_MOUNT_PATH_NAME": ("cert_path", str),
    "DEPLOYMENT_NAME_AS_PREFIX": ("names_prefixed", _flag),
    "KEDA_ENABLED": ("keda", _flag),
    "ISTIO_ENABLED": ("traffic", lambda text: "istio" if _flag(text) else "gateway"),
    "ISTIO_GATEWAY": ("gateway", str),
    "ISTIO_TLS_MODE": ("istio_tls_mode", str),
    "TRAFFIC": ("traffic", _one_of("gateway", "istio", "none")),
    "GATEWAY": ("gateway", _gateway),
    "GATEWAY_HTTP_LISTENER": ("gateway_http_listener", str),
    "GATEWAY_GRPC_LISTENER": ("gateway_grpc_listener", str),
    "ROUTER_STATE": ("state", _state),
    "ROUTER_STATE_SIZE": ("state_size", str),
    "ROUTER_STATE_CLASS": ("state_class", str),
    "RELATED_IMAGE_STORAGE_INITIALIZER": ("initializer", lambda text: Image(text) if text else None),
    "RELATED_IMAGE_EXPLAINER": ("explainer_image", str),
    "CONTROLLER_ID": ("controller_id", str),
}
_RELATED = "RELATED_IMAGE_"
_RELATED_SERVERS = {
    "SKLEARNSERVER": ("SKLEARN_SERVER", "seldon"),
    "XGBOOSTSERVER": ("XGBOOST_SERVER", "seldon"),
    "MLFLOWSERVER": ("MLFLOW_SERVER", "seldon"),
    "TFPROXY": ("TENSORFLOW_SERVER", "seldon"),
    "TENSORFLOW": ("TENSORFLOW_SERVER", "tensorflow"),
}
_PAIRS = {"CPU": "engine_cpu", "MEMORY": "engine_memory"}


def read(environment: Mapping[str, str], config_map: Mapping[str, str] | None = None) -> Config:
    """The configuration. Raises ManifestError with all that is wrong; what an unknown name says has no effect."""
    config, problems = Config(), list[Problem]()
    named = {name: text for name, text in environment.items() if text}
    both = {**named, **(config_map or {})}
    related = {name: text for name, text in both.items() if text and name.startswith(_RELATED)}
    for source in (named, config_map or {}, related):
        values = {**_plain(source, problems), **_pairs(source, config), **_documents(source, problems)}
        config = replace(config, **values)
    if problems:
        raise ManifestError(problems, "the operator's configuration")
    return replace(config, servers=_with_related(config.servers, related))


def _with_related(servers: Mapping[str, Server], related: Mapping[str, str]) -> dict[str, Server]:
    found = dict(servers)
    for name, (server, protocol) in _RELATED_SERVERS.items():
        if image := related.get(_RELATED + name):
            found[server] = {**found.get(server, {}), protocol: Image(image)}
    return found


def _plain(source: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    values = {}
    for name, (key, convert) in _READ.items():
        if name in source:
            try:
                values[key] = convert(source[name])
            except ValueError as error:
                problems.append(Problem(name, f'{error}; it is "{source[name]}"'))
    return values


def _pairs(source: Mapping[str, str], config: Config) -> dict[str, Any]:
    """Requests and limits of the executor."""
    values = {}
    for word, key in _PAIRS.items():
        request, limit = getattr(config, key)
        found = (f"EXECUTOR_DEFAULT_{word}_REQUEST", f"EXECUTOR_DEFAULT_{word}_LIMIT")
        values[key] = (source.get(found[0], request), source.get(found[1], limit))
    return values


def _documents(source: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """The keys that hold JSON."""
    values: dict[str, Any] = {}
    for key, convert in _DOCUMENTS.items():
        if source.get(key):
            try:
                values.update(convert(json.loads(source[key])))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                problems.append(Problem(key, f"is not in the form of seldon-config: {error!r}"))
    return values


def _servers(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"servers": {name: dict(_images(each["protocols"].items())) for name, each in found.items()}}


def _images(found: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterable[tuple[str, Image]]:
    for protocol, each in found:
        tag = each.get("defaultImageVersion") or ""
        yield protocol, Image(f"{each['image']}:{tag}" if tag else each["image"], tuple(each.get("args", ())))


def _initializer(found: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {"initializer": Image(found["image"])} if found.get("image") else {}
    default = Config().initializer_resources
    values["initializer_resources"] = {
        kind: {what: found.get(f"{what}{word}", default[kind][what]) for what in ("cpu", "memory")}
        for kind, word in (("requests", "Request"), ("limits", "Limit"))
    }
    return values


def _explainer(found: Mapping[str, str]) -> dict[str, Any]:
    keys = {"image": "explainer_image", "image_v2": "explainer_v2_image"}
    return {keys[name]: found[name] for name in keys if found.get(name)}


_DOCUMENTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "predictor_servers": _servers,
    "storageInitializer": _initializer,
    "explainer": _explainer,
}
