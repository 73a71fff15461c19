"""Owns the table of scenarios: graph × payload × protocol × front, and who is compared in each.

Must not start anything: `bench.targets` makes processes of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import payloads
from bench.payloads import Check

KIB, MIB = 1 << 10, 1 << 20
FOLDER = Path(__file__).resolve().parent
EXAMPLES = FOLDER.parent / "examples"
ECHO = f"{FOLDER}/nodes.py:Echo"
SELDON_ECHO = f"{FOLDER}/peers/seldon_class.py:Echo"

Graph = dict[str, Any]

FRONT_GRPC = "/seldon.protos.Seldon/Predict"
FRONT_FEEDBACK = "/seldon.protos.Seldon/SendFeedback"
FRONT_REST = "/api/v1.0/predictions"
NODE_GRPC = "/seldon.protos.Model/Predict"
NODE_REST = "/predict"


@dataclass(frozen=True)
class Scenario:
    """One thing to measure."""

    name: str
    summary: str
    graph: Graph | None
    """The predictor's graph; None: no graph, `alone` is served as a node."""
    sizes: tuple[int, ...] = (64,)
    """Payloads in bytes, the first of them by default."""
    protocol: str = "grpc"
    """What the client speaks: grpc or http."""
    path: str = FRONT_GRPC
    remote: Mapping[str, str] = field(default_factory=dict)
    """Nodes that are reached over the network, and the kind of address: grpc, unix or http. One server is all."""
    inside: Mapping[str, str] = field(default_factory=dict)
    """Nodes that are components of the executor's own process."""
    isolated: tuple[str, ...] = ()
    """Those of them that get a process of their own, whose cost counts as the executor's."""
    alone: str = ""
    """The class that is served as a node."""
    serves: str = "node"
    """The command that serves it: node, or microservice, which is the wrapper's."""
    against: tuple[str, ...] = ()
    """Baselines that do the same work."""
    request: Callable[[int], bytes] = payloads.tensor_request
    check: Callable[[int], Check] = payloads.tensor_check
    load: tuple[int, int] = (0, 0)
    """Connections and streams on each; zeros: by payload size."""
    quick: tuple[int, ...] | None = None
    """Payloads of the quick profile; None: the first, (): left out."""
    needs: tuple[str, ...] = ()
    """Files without which it cannot run."""
    tls: str = ""
    """Which leg is TLS: front (client to executor), node (executor to node); empty: none."""
    asks: str = ""
    """What is measured instead of load: deadline or cancel, see `bench.promptness`."""

    def shape(self, size: int) -> tuple[int, int]:
        """Connections and streams for a payload."""
        if self.load != (0, 0):
            return self.load
        if self.protocol == "http":
            return 16, 1
        return (8, 16) if size <= 64 * KIB else (4, 4) if size <= MIB else (2, 2)

    @property
    def quick_sizes(self) -> tuple[int, ...]:
        """Payloads of the quick profile."""
        return self.sizes[:1] if self.quick is None else self.quick


def model(name: str, children: list[Graph] | None = None, **more: Any) -> Graph:
    """A node of a graph."""
    return {"name": name, "type": "MODEL", "children": children or [], **more}


def built_in(name: str, kind: str, children: list[Graph], **more: Any) -> Graph:
    """A node that the executor computes itself."""
    return {"name": name, "implementation": kind, "children": children, **more}


def chain(length: int) -> tuple[Graph, dict[str, str]]:
    """Models in a row, all remote."""
    graph: list[Graph] = []
    for number in reversed(range(length)):
        graph = [model(f"m{number}", graph)]
    return graph[0], {f"m{number}": "grpc" for number in range(length)}


def _chain(length: int, **more: Any) -> Scenario:
    graph, remote = chain(length)
    summary = f"{length} remote models in a row"
    return Scenario(f"chain{length}", summary, graph, sizes=(64, 4 * KIB), remote=remote, **more)


def _component(kind: str, cls: str, how: str) -> Scenario:
    return Scenario(
        kind,
        f"one component in the process that does nothing, {how}",
        model("m"),
        sizes=(4 * KIB, 64, 600 * KIB),
        inside={"m": f"{FOLDER}/nodes.py:{cls}"},
    )


def _rest(name: str, transport: str, summary: str, **more: Any) -> Scenario:
    request = more.pop("request", payloads.json_request)
    return Scenario(
        name,
        summary,
        model("m", endpoint={"type": "REST" if transport == "http" else "GRPC"}),
        protocol="http",
        path=FRONT_REST,
        remote={"m": transport},
        request=request,
        check=payloads.json_check(request),
        **more,
    )


def _wrapper(name: str, protocol: str, summary: str, **more: Any) -> Scenario:
    path = FRONT_REST if protocol == "http" else NODE_GRPC
    return Scenario(name, summary, None, protocol=protocol, path=path, alone=SELDON_ECHO, serves="microservice", **more)


PROXIES = ("go-proxy", "aio-proxy", "aio-numpy", "nghttpx", "raw-tcp")
NODE_SIZES = (64, 4 * KIB, 600 * KIB, 4 * MIB)
_LEAVES = [model("a"), model("b"), model("c")]
_BOTH = {"a": "grpc", "b": "grpc"}
_FAN = built_in("mean", "AVERAGE_COMBINER", _LEAVES)
_SPLIT = built_in(
    "split",
    "RANDOM_ABTEST",
    _LEAVES[:2],
    parameters=[{"name": "ratioA", "type": "FLOAT", "value": "0.5"}],
)
_BANDIT = built_in("split", "EPSILON_GREEDY", _LEAVES[:2])
_DIAMOND: Graph = {
    "name": "first",
    "type": "TRANSFORMER",
    "children": [built_in("mean", "AVERAGE_COMBINER", _LEAVES[:2])],
}
_ONNX: Graph = {
    "name": "scaler",
    "type": "TRANSFORMER",
    "children": [
        model("mlp", parameters=[{"name": "model", "type": "STRING", "value": "digits/model/mlp.onnx"}]),
    ],
}

_COMPOSED: Graph = {"name": "scaler", "type": "TRANSFORMER", "children": [model("m")]}

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("echo", "the executor alone: a built-in model that returns its input",
                 built_in("m", "SIMPLE_MODEL", []), sizes=NODE_SIZES, quick=(64,),
                 against=("go-server", "aio-server", "raw-tcp")),
        Scenario("node", "one remote model behind the executor", model("m"), sizes=NODE_SIZES, quick=NODE_SIZES,
                 remote={"m": "grpc"}, against=PROXIES),
        Scenario("latency", "one remote model, one call at a time", model("m"), sizes=(64, 600 * KIB), quick=(64,),
                 remote={"m": "grpc"}, against=PROXIES, load=(1, 1)),
        Scenario("unix", "one remote model over a unix socket", model("m"), sizes=(64, 600 * KIB),
                 remote={"m": "unix"}, quick=()),
        _chain(2, quick=()),
        _chain(3),
        _chain(8, quick=()),
        Scenario("fan3", "three remote models and their average", _FAN, sizes=(64, 4 * KIB),
                 remote={**_BOTH, "c": "grpc"}),
        Scenario("tls", "one remote model, the client's side over TLS", model("m"), sizes=(64, 4 * KIB, 600 * KIB),
                 remote={"m": "grpc"}, tls="front", against=("go-proxy", "nghttpx"), quick=(64, 600 * KIB)),
        Scenario("tls-node", "one remote model, the node's side over TLS", model("m"), sizes=(64, 4 * KIB, 600 * KIB),
                 remote={"m": "grpc"}, tls="node", against=("go-proxy", "nghttpx"), quick=(64,)),
        Scenario("deadline", "how long after its deadline a request to a silent node is answered", model("m"),
                 remote={"m": "grpc"}, asks="deadline", against=("go-proxy", "aio-proxy"), load=(1, 1)),
        Scenario("cancel", "how long after the client's cancel a node's call is reset", model("m"),
                 remote={"m": "grpc"}, asks="cancel", against=("go-proxy", "aio-proxy"), load=(1, 1)),
        Scenario("router2", "an A/B test over two remote models", _SPLIT, sizes=(64, 4 * KIB), remote=_BOTH),
        Scenario("bandit2", "an epsilon-greedy router over two remote models", _BANDIT, sizes=(64, 4 * KIB),
                 remote=_BOTH, quick=()),
        Scenario("diamond", "transformer, two models, their average; all in the process", _DIAMOND, sizes=(4 * KIB, 64),
                 inside={"first": ECHO, "a": ECHO, "b": ECHO}, quick=()),
        Scenario("onnx", "a transformer and an ONNX model of the digits example, in the process", _ONNX, sizes=(512,),
                 inside={"scaler": f"{FOLDER}/nodes.py:Scaler", "mlp": f"{EXAMPLES}/onnx_model.py:OnnxModel"},
                 request=payloads.digits_request, check=payloads.probabilities_check, quick=(),
                 needs=(f"{EXAMPLES}/digits/model/mlp.onnx",)),
        _component("quick", "Echo", "inline on the event loop"),
        _component("async", "AsyncEcho", "as a coroutine"),
        _component("blocking", "BlockingEcho", "in the pool of threads"),
        Scenario("isolated", "the quick component in a process of its own, whose CPU counts too", model("m"),
                 sizes=(4 * KIB, 64, 600 * KIB), inside={"m": ECHO}, isolated=("m",), quick=()),
        Scenario("node-server", "a node server alone, with a quick class that does nothing", None, sizes=(64, 4 * KIB),
                 path=NODE_GRPC, alone=ECHO, against=("grpcio-node",)),
        Scenario("feedback", "feedback to one remote model", model("m"), sizes=(64,), path=FRONT_FEEDBACK,
                 remote={"m": "grpc"}, request=payloads.feedback_request, check=payloads.message_check, quick=()),
        _rest("rest-rest", "http", "REST in, REST node", against=("go-http", "fastapi"), sizes=(KIB, 16 * KIB)),
        Scenario("rest-compose", "REST in, a transformer that divides by 16 and a model, both Python", _COMPOSED,
                 sizes=(KIB,), protocol="http", path=FRONT_REST, request=payloads.json_request,
                 check=payloads.json_check(payloads.json_request, 16.0), quick=(),
                 against=("kserve", "ray-serve", "bentoml"),
                 inside={"scaler": f"{FOLDER}/nodes.py:Scaler", "m": ECHO}),
        Scenario("grpc-compose", "gRPC in, a transformer that divides by 16 and a model, both Python", _COMPOSED,
                 sizes=(4 * KIB, 64, 600 * KIB), check=partial(payloads.tensor_check, divisor=16.0), quick=(),
                 against=("triton", "kserve-grpc"),
                 inside={"scaler": f"{FOLDER}/nodes.py:Scaler", "m": ECHO}),
        _rest("rest-grpc", "grpc", "REST in, gRPC node, 1 000 numbers", request=payloads.numbers_request,
              sizes=(8000,)),
        _rest("rest-numbers", "http", "REST in, REST node, 1 000 numbers", request=payloads.numbers_request,
              sizes=(8000,), against=("go-http", "fastapi")),
        _wrapper("wrapper-rest", "http", "a class written for Seldon's wrapper, by its command: REST, 1 000 numbers",
                 request=payloads.numbers_request, check=payloads.json_check(payloads.numbers_request), sizes=(8000,),
                 against=("fastapi-node", "seldon-wrapper")),
        _wrapper("wrapper-grpc", "grpc", "the same over gRPC", sizes=(64, 4 * KIB, 8000),
                 against=("grpcio-node", "seldon-wrapper")),
    )
}  # fmt: skip


def manifest(scenario: Scenario) -> dict[str, Any]:
    """The SeldonDeployment of a scenario."""
    predictor = {"name": "default", "replicas": 1, "graph": scenario.graph}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": scenario.name},
        "spec": {"name": scenario.name, "predictors": [predictor]},
    }
