"""Owns a predictor's explainer: its Deployment and its Service. Must not make the predictor's own."""

import json
from collections.abc import Iterator

from executor.manifest.seldon_shape import ExplainerModel
from operator_lite import defaults, deployments, names, pieces, services, storage
from operator_lite.config import MODELS
from operator_lite.scope import V2, Object, Scope

PORT = 9000
_METHODS = {
    "AnchorTabular": "anchor_tabular",
    "AnchorImages": "anchor_image",
    "AnchorText": "anchor_text",
    "Counterfactuals": "counterfactuals",
    "Contrastive": "contrastive",
    "KernelShap": "kernel_shap",
    "IntegratedGradients": "integrated_gradients",
    "ALE": "ALE",
    "TreeShap": "tree_shap",
}
"""What an explainer is called where MLServer runs it."""


def all_of(scope: Scope) -> Iterator[Object]:
    """Deployment and Service, if the predictor has an explainer."""
    for model, name, number in reached(scope):
        chosen = {names.container_label(name): name, names.ID: scope.id}
        yield _deployment(scope, model, name, number, chosen)
        yield services.service(scope, name, chosen, chosen, (number, number))


def reached(scope: Scope) -> list[tuple[ExplainerModel, str, int]]:
    """The explainer with the name of its objects and its port; a list of one, or of none."""
    model = scope.explainer
    if model is None:
        return []
    written = model.containerSpec or {}
    number = defaults.port(written, "http") or defaults.free(written, "http", model.endpoint.service_port or PORT)
    return [(model, names.part(scope.name, scope.predictor, "explainer"), number)]


def path(scope: Scope) -> str:
    """Where clients reach it through a gateway."""
    return f"/seldon/{scope.namespace}/{scope.name}-explainer/{scope.predictor.name}/"


def _deployment(scope: Scope, model: ExplainerModel, name: str, number: int, chosen: dict[str, str]) -> Object:
    annotations = {**scope.model.spec.annotations, **scope.predictor.annotations}
    account = model.serviceAccountName or None
    spec: Object = {"containers": [_container(scope, model, name, number)], "serviceAccountName": account}
    if model.modelUri:
        container = spec["containers"][0]["name"]
        image, secret = model.storageInitializerImage, model.envSecretRefName
        spec = storage.fetched(spec, storage.Wanted(name, container, model.modelUri, image, secret), scope)
    meta = scope.meta(name, {"app": name, **chosen}, annotations)
    pod_meta = {"labels": meta["labels"], "annotations": annotations or None}
    template = {"metadata": pod_meta, "spec": deployments.finished(scope, spec)}
    body = {"replicas": _replicas(scope, model), "selector": {"matchLabels": chosen}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body}


def _replicas(scope: Scope, model: ExplainerModel) -> int:
    """None where the predictor has none: there is nothing to explain then."""
    said = scope.predictor.replicas if scope.predictor.replicas is not None else scope.model.spec.replicas
    return 0 if said == 0 else 1 if model.replicas is None else model.replicas


def _container(scope: Scope, model: ExplainerModel, name: str, number: int) -> Object:
    v2 = scope.protocol in V2
    config = scope.config
    written = model.containerSpec or {}
    fallback: Object = {
        "name": name,
        "image": config.explainer_v2_image if v2 else config.explainer_image,
        "imagePullPolicy": "IfNotPresent",
        "livenessProbe": pieces.tcp_probe("http", 60),
        "readinessProbe": pieces.tcp_probe("http", 20),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    if "image" not in written:
        fallback["securityContext"] = pieces.restricted(config.user, is_ours=False)
    if not v2:
        fallback["args"] = _arguments(scope, model, number)
    found = defaults.with_port({**fallback, **written}, "http", number)
    identity = {"SELDON_DEPLOYMENT_ID": scope.name}
    ours = {**identity, **(_mlserver(scope, model, number) if v2 else {})}
    found["env"] = pieces.merged(pieces.env(ours), written.get("env") or [])
    return pieces.mount(found, pieces.podinfo_mount())


def _address(scope: Scope, grpc: bool) -> str:
    """Where the explainer asks the predictor."""
    http_port, grpc_port = services.ports(scope)
    return f"{scope.service}.{scope.namespace}:{grpc_port if grpc else http_port}"


def _arguments(scope: Scope, model: ExplainerModel, number: int) -> list[str]:
    grpc = scope.model.spec.transport == "grpc" or model.endpoint.type == "GRPC"
    protocol = "tensorflow" if scope.protocol == "tensorflow" else "seldon"
    args = [
        f"--model_name={scope.predictor.graph.name}",
        f"--predictor_host={_address(scope, grpc)}",
        f"--protocol={protocol}.{'grpc' if grpc else 'http'}",
        f"--http_port={number}",
    ]
    if model.modelUri:
        args.append(f"--storage_uri={MODELS}")
    args.append(model.type)
    if model.type == "AnchorImages":
        args.append("--tf_data_type=float32")
    return [*args, *(f"--{key}={model.config[key]}" for key in sorted(model.config))]


def _mlserver(scope: Scope, model: ExplainerModel, number: int) -> dict[str, object]:
    root = scope.predictor.graph.name
    extra: Object = {
        "explainer_type": _METHODS.get(model.type, model.type),
        "infer_uri": f"http://{_address(scope, False)}/v2/models/{root}/infer",
    }
    if model.initParameters:
        extra["init_parameters"] = json.loads(model.initParameters)
    return {
        "MLSERVER_HTTP_PORT": number,
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_alibi_explain.AlibiExplainRuntime",
        "MLSERVER_MODEL_NAME": root,
        "MLSERVER_MODEL_EXTRA": json.dumps(extra, separators=(",", ":"), sort_keys=True),
        **({"MLSERVER_MODEL_URI": MODELS} if model.modelUri else {}),
    }
