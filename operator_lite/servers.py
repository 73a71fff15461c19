"""Owns prepackaged servers: which image runs a model, and what each kind of server is told.

Must not fetch models (`operator_lite.storage` does).
"""

from typing import Any

from executor.manifest.seldon_shape import Opaque, UnitModel
from operator_lite import defaults, names, pieces
from operator_lite.config import MODELS, Image
from operator_lite.scope import V2, Object, Scope

TF, TRITON = "TENSORFLOW_SERVER", "TRITON_SERVER"
TF_SIDECAR = "tfserving"
MLSERVER = {
    "SKLEARN_SERVER": "mlserver_sklearn.SKLearnModel",
    "XGBOOST_SERVER": "mlserver_xgboost.XGBoostModel",
    "MLFLOW_SERVER": "mlserver_mlflow.MLflowRuntime",
    "HUGGINGFACE_SERVER": "mlserver_huggingface.HuggingFaceRuntime",
    "TEMPO_SERVER": "tempo.mlserver.InferenceRuntime",
}
_TRITON_LISTS = {"model_control_mode": "--model-control-mode", "load_model": "--load-model"}


def filled(scope: Scope, unit: UnitModel, container: Opaque) -> Object:
    """A node's container with what its server needs; as it is, where no server runs the node."""
    if not defaults.is_server(unit):
        return dict(container)
    image = scope.config.server(unit.implementation or "", scope.protocol)
    found = _base(scope, unit, image, container) if image is not None else dict(container)
    if unit.implementation == TRITON:
        return _triton(scope, unit, found)
    if unit.implementation == TF and scope.protocol == "tensorflow":
        endpoint = unit.endpoint
        return {"args": _tensorflow(unit, endpoint.grpcPort, endpoint.httpPort), **found}
    if unit.implementation in MLSERVER and scope.protocol in V2:
        return _mlserver(unit, found)
    return found


def fetches(scope: Scope, unit: UnitModel) -> bool:
    """Whether the node's model is fetched before it starts."""
    itself = unit.implementation == TRITON and scope.model.spec.annotations.get(names.NO_INITIALIZER) == "true"
    return bool(unit.modelUri) and not itself


def runs_model(scope: Scope, unit: UnitModel) -> str:
    """The container that reads the model's files."""
    is_proxied = unit.implementation == TF and scope.protocol == "seldon"
    return TF_SIDECAR if is_proxied and (sidecars(scope, unit) or scope.container(TF_SIDECAR)) else unit.name


def sidecars(scope: Scope, unit: UnitModel) -> list[Object]:
    """Containers that stand beside the node's own: Seldon's proxy for TensorFlow Serving has the server there."""
    if unit.implementation != TF or scope.protocol != "seldon":
        return []
    if _names_endpoint(unit) or scope.container(TF_SIDECAR):
        return []
    image = scope.config.server(TF, "tensorflow")
    if image is None:
        return []
    found: Object = {"name": TF_SIDECAR, "ports": [{"containerPort": 2000}, {"containerPort": 2001}]}
    return [{**_base(scope, unit, image, found), "args": _tensorflow(unit, 2000, 2001)}]


def parameters(scope: Scope, unit: UnitModel) -> list[Object]:
    """The arguments of the node's code: what the manifest says, and what its server has to know."""
    written = [{"name": each.name, "value": each.value, "type": each.type} for each in unit.parameters]
    if not defaults.is_server(unit) or scope.protocol != "seldon" or unit.implementation == TRITON:
        return written
    ours: list[Object] = []
    if unit.implementation == TF:
        if not _names_endpoint(unit):
            ours += [_text("rest_endpoint", "http://0.0.0.0:2001"), _text("grpc_endpoint", "0.0.0.0:2000")]
        ours.append(_text("model_name", unit.name))
    elif unit.modelUri:
        ours.append(_text("model_uri", MODELS))
    taken = {each["name"] for each in ours}
    return [*(each for each in written if each["name"] not in taken), *ours]


def _names_endpoint(unit: UnitModel) -> bool:
    """Whether a TensorFlow Serving of the user's own is meant."""
    return any(each.name in ("rest_endpoint", "grpc_endpoint") for each in unit.parameters)


def _text(name: str, value: str) -> Object:
    return {"name": name, "value": value, "type": "STRING"}


def _base(scope: Scope, unit: UnitModel, image: Image, container: Opaque) -> Object:
    """A container of ours, under the strictest security that its image is known to stand."""
    fallback: Object = {
        "name": container["name"],
        "image": image.name,
        "securityContext": pieces.restricted(scope.user_of_ours(unit.name), image.is_ours),
    }
    if "image" in container:
        return dict(container)
    if image.args:
        fallback["args"] = list(image.args)
    if image.is_ours:
        # It listens while its model is loading still, so that it listens says too little.
        scheme = "HTTPS" if scope.secret and not scope.has_engine else "HTTP"
        fallback["readinessProbe"] = pieces.http_probe("/ready", "http", 20, 1, scheme)
    found = {**fallback, **container}
    return pieces.mount(found, pieces.tmp_mount(found["name"])) if image.is_ours else found


def _tensorflow(unit: UnitModel, grpc: int, http: int) -> list[str]:
    model = [f"--model_name={unit.name}", f"--model_base_path={MODELS}"]
    return [f"--port={grpc}", f"--rest_api_port={http}", *model]


def _triton(scope: Scope, unit: UnitModel, container: Object) -> Object:
    ports = unit.endpoint
    args = ["/opt/tritonserver/bin/tritonserver", f"--grpc-port={ports.grpcPort}", f"--http-port={ports.httpPort}"]
    strict = "false"
    if fetches(scope, unit):
        args.append(f"--model-repository={MODELS}")
    else:
        args.append(f"--model-repository={unit.modelUri}")
        args += [f"{_TRITON_LISTS[each.name]}={each.value}" for each in unit.parameters if each.name in _TRITON_LISTS]
        said = [str(each.value) for each in unit.parameters if each.name == "strict_model_config"]
        strict = said[-1] if said else strict
        secret = unit.envSecretRefName or scope.config.credentials_secret
        if secret:
            container = {"envFrom": [{"secretRef": {"name": secret}}], **container}
    return {"args": [*args, f"--strict-model-config={strict}"], **_v2_probes(), **container}


def _mlserver(unit: UnitModel, container: Object) -> Object:
    ours: dict[str, Any] = {
        "MLSERVER_MODEL_IMPLEMENTATION": MLSERVER[unit.implementation or ""],
        "MLSERVER_MODEL_VERSION": "v1",
    }
    if unit.implementation == "TEMPO_SERVER":
        ours["TEMPO_RUNTIME_OPTIONS"] = '{"k8s_options": {"defaultRuntime": "tempo.seldon.SeldonKubernetesRuntime"}}'
    if unit.implementation == "HUGGINGFACE_SERVER":
        ours |= {"MLSERVER_PARALLEL_WORKERS": "0", "XDG_CACHE_HOME": "/opt/mlserver"}
    return {**_v2_probes(), **container, "env": pieces.merged(pieces.env(ours), container.get("env") or [])}


def _v2_probes() -> Object:
    return {
        "livenessProbe": pieces.http_probe("/v2/health/live", "http", 60, 1),
        "readinessProbe": pieces.http_probe("/v2/health/ready", "http", 20, 1),
    }
