"""Owns the demo: three graphs answer real requests, in one process and in many, over gRPC and REST.

Must not fake anything: models are trained here, rows are held out from them, servers are the real command line's.
Prints what it sees, ends with `demo: ok`; any difference from what should be ends it with the reason and status 1.
"""

import asyncio
import json
import statistics
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy
from numpy.typing import NDArray

EXAMPLES = Path(__file__).resolve().parent
# Last on the path: an installed millrace goes before the source tree, whose modules may not be compiled.
sys.path.append(str(EXAMPLES.parent))

from examples.digits import train as digits  # noqa: E402
from examples.processes import HOST, Child, Children, DemoError  # noqa: E402
from examples.wine import train as wine  # noqa: E402
from executor import client, errors  # noqa: E402
from executor._native import message as native  # noqa: E402
from executor._native import seldon  # noqa: E402
from executor.rpc import channels  # noqa: E402

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ROWS = 120
"""Held-out digits that are sent one by one."""
SHOWN = 6
TIMEOUT_S = 10.0
TIMED_CALLS = 200


@dataclass(frozen=True)
class NodeCode:
    """Which class is a node of the digits graph, and how it is served when it has a process of its own."""

    component: str
    type: str
    parameters: Mapping[str, Any]
    rpc: str


DIGITS = {
    "labels": NodeCode("digits/labels.py:Labels", "OUTPUT_TRANSFORMER", {}, "OutputTransformer/TransformOutput"),
    "scaler": NodeCode("digits/scaler.py:Scaler", "TRANSFORMER", {"top": 16.0}, "Transformer/TransformInput"),
    "by-ink": NodeCode("digits/router.py:InkRouter", "ROUTER", {"threshold": 0.305}, "Router/Route"),
    "logistic": NodeCode("onnx_model.py:OnnxModel", "MODEL", {"model": "digits/model/logistic.onnx"}, "Model/Predict"),
    "mlp": NodeCode("onnx_model.py:OnnxModel", "MODEL", {"model": "digits/model/mlp.onnx"}, "Model/Predict"),
}
WINE = {
    "vote": "wine/vote.py:Vote",
    "logistic": "onnx_model.py:OnnxModel",
    "forest": "onnx_model.py:OnnxModel",
    "neighbours": "onnx_model.py:OnnxModel",
}
STEPS = {"step_one": "StepOne", "step_two": "StepTwo", "step_three": "StepThree"}


def main() -> int:
    """Run all parts; the exit status."""
    started = time.monotonic()
    try:
        title("training on scikit-learn's digits and wines")
        held_out, wines = digits.train(), wine.train()
        within = digits_in_one_process(held_out)
        apart = digits_in_many_processes(held_out)
        expect(within == apart, "the same rows were answered differently in one process and in many")
        wine_ensemble(wines)
        step_chain()
    except (DemoError, errors.Error, OSError) as error:
        print(f"demo: FAILED: {error}", file=sys.stderr)
        return 1
    print(f"\nall of it took {time.monotonic() - started:.0f} s")
    print("demo: ok")
    return 0


# --- the digits graph -----------------------------------------------------------------------------------------


def digits_in_one_process(held_out: digits.HeldOut) -> list[str]:
    """All nodes inside the executor."""
    title("digits: every node inside the executor")
    with Children() as children:
        nodes = {name: str(EXAMPLES / code.component) for name, code in DIGITS.items()}
        server = start_graph(children, "digits/graph.yaml", components=nodes)
        return ask_digits(server, held_out, lambda: get(server, "/api/v1.0/status/by-ink"))


def digits_in_many_processes(held_out: digits.HeldOut) -> list[str]:
    """Each node in a process of its own, reached over gRPC."""
    title("digits: every node in a process of its own, over gRPC")
    with Children() as children:
        nodes = {name: start_node(children, name, code) for name, code in DIGITS.items()}
        children.wait()
        urls = {name: f"grpc://{HOST}:{node.grpc_port}" for name, node in nodes.items()}
        server = start_graph(children, "digits/graph.yaml", endpoints=urls)
        answers = ask_digits(server, held_out, lambda: get(nodes["by-ink"], "/health/status"))
        asyncio.run(show_node_times(nodes, held_out.rows[0]))
        return answers


def ask_digits(server: Child, held_out: digits.HeldOut, router_status: Callable[[], Any]) -> list[str]:
    """Send the rows over gRPC and REST, and feedback for each; what the graph said they are."""
    rows, truth = held_out.rows[:ROWS], [WORDS[digit] for digit in held_out.digits[:ROWS]]
    with client.Client(f"{HOST}:{server.grpc_port}", timeout_s=TIMEOUT_S) as graph:
        responses, per_call = timed(graph.predict, [row[None, :] for row in rows])
        answers = [str(response.value[0]) for response in responses]
        routes = [response.routing["by-ink"] for response in responses]
        for response, answer, right in zip(responses, answers, truth, strict=True):
            graph.feedback(None, response, reward=float(answer == right))
    over_rest, per_post = timed(lambda row: rest_answer(server, row), rows)
    show_rows(answers, routes, truth)
    print(f"over gRPC: accuracy {accuracy(answers, truth):.3f} on {ROWS} rows, {per_call} µs per request")
    print(f"over REST: accuracy {accuracy(over_rest, truth):.3f} on {ROWS} rows, {per_post} µs per request")
    print(f"routes taken: {routes.count(0)} to logistic, {routes.count(1)} to mlp")
    expect(answers == over_rest, "gRPC and REST answered the same rows differently")
    expect(accuracy(answers, truth) > 0.9, "less than nine tenths of the answers were right")
    expect(set(routes) == {0, 1}, "the router sent everything one way")
    check_rewards(router_status()["jsonData"]["rewards"], answers, truth, routes)
    return answers


def rest_answer(server: Child, row: NDArray[numpy.float64]) -> str:
    """The same request as JSON."""
    said = post(server, "/api/v1.0/predictions", {"data": {"ndarray": [row.tolist()]}})
    return str(said["data"]["ndarray"][0])


def check_rewards(
    rewards: Sequence[float], answers: Sequence[str], truth: Sequence[str], routes: Sequence[int]
) -> None:
    """The router counts how often it was rewarded for each child: that is what came back as feedback."""
    right = [sum(a == t and r == child for a, t, r in zip(answers, truth, routes, strict=True)) for child in (0, 1)]
    print(f"feedback: {len(answers)} sent; rewards at the router: {rewards[0]:.0f} logistic, {rewards[1]:.0f} mlp")
    expect(rewards == right, f"the router's rewards should be {right}")


def show_rows(answers: Sequence[str], routes: Sequence[int], truth: Sequence[str]) -> None:
    """A few rows, and all that went wrong."""
    for number in range(SHOWN):
        model = ("logistic", "mlp")[routes[number]]
        mark = "" if answers[number] == truth[number] else "   <- wrong"
        print(f"  row {number}: {answers[number]:<6} truth {truth[number]:<6} by {model}{mark}")
    print(f"  ... and {len(answers) - SHOWN} more")


async def show_node_times(nodes: Mapping[str, Child], row: NDArray[numpy.float64]) -> None:
    """How long one call to each node takes: its process is called directly, with what it gets in the graph."""
    print(f"times of single nodes, called directly (median of {TIMED_CALLS}, this client's own time included):")
    opened = {name: channels.Channel(f"{HOST}:{node.grpc_port}") for name, node in nodes.items()}
    try:
        pixels = seldon.build("tensor", row[None, :])
        scaled = await time_node("scaler", opened["scaler"], pixels)
        await time_node("by-ink", opened["by-ink"], scaled)
        await time_node("logistic", opened["logistic"], scaled)
        probabilities = await time_node("mlp", opened["mlp"], scaled)
        await time_node("labels", opened["labels"], probabilities)
    finally:
        for channel in opened.values():
            await channel.close()


async def time_node(name: str, channel: channels.Channel, message: native.Message) -> native.Message:
    """Print the median time of a call to one node; its answer."""
    path, seconds = f"/seldon.protos.{DIGITS[name].rpc}", []
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        answer = await channel.call(path, message, timeout_s=TIMEOUT_S)
        seconds.append(time.perf_counter() - start)
    print(f"  node {name:<9} {median_us(seconds):>6} µs per call")
    return answer


# --- the other graphs -----------------------------------------------------------------------------------------


def wine_ensemble(held_out: wine.HeldOut) -> None:
    """Three models and a combiner, inside the executor: all held-out rows in one request."""
    title("wine: three models and a combiner, inside the executor")
    with Children() as children:
        server = start_graph(
            children, "wine/graph.yaml", components={name: str(EXAMPLES / code) for name, code in WINE.items()}
        )
        with client.Client(f"{HOST}:{server.grpc_port}") as graph:
            response = graph.predict(held_out.rows)
        over_rest = post(server, "/api/v1.0/predictions", {"data": {"ndarray": held_out.rows.tolist()}})["data"]
    kinds = response.array().argmax(axis=1)
    right = float((kinds == held_out.kinds).mean())
    print(f"{len(kinds)} wines in one request: {right:.3f} right; columns {', '.join(response.names)}")
    expect(numpy.allclose(over_rest["ndarray"], response.array()), "gRPC and REST answered the same rows differently")
    expect(right > 0.9, "less than nine tenths of the answers were right")


def step_chain() -> None:
    """The chain of three models, each a REST node in a process of its own."""
    title("steps: a chain of three models, each in a process of its own, over REST")
    with Children() as children:
        nodes = {}
        for name, cls in STEPS.items():
            target = f"{EXAMPLES / 'steps' / 'steps.py'}:{cls}"
            nodes[name] = children.start(name, "node", target, "--type", "MODEL", "--name", name)
        children.wait()
        urls = {name: f"http://{HOST}:{node.http_port}" for name, node in nodes.items()}
        server = start_graph(children, "steps/graph.yaml", endpoints=urls)
        asked = numpy.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]])
        wanted = ((asked + 1.0) * 10.0 - numpy.arange(3)).tolist()
        with client.Client(f"{HOST}:{server.grpc_port}") as graph:
            over_grpc = graph.predict(asked)
        over_rest = post(server, "/api/v1.0/predictions", {"data": {"ndarray": asked.tolist()}})
    print(f"asked    {asked.tolist()}\nanswered {over_grpc.array().tolist()}")
    expect(over_grpc.array().tolist() == wanted, f"over gRPC the answer should be {wanted}")
    expect(over_rest["data"]["ndarray"] == wanted, f"over REST the answer should be {wanted}: {over_rest}")
    expect(over_rest["meta"]["tags"] == {"chain": "complete"}, f"the last step's tag is missing: {over_rest}")


# --- servers and requests -------------------------------------------------------------------------------------


def start_graph(
    children: Children, manifest: str, *, components: Mapping[str, str] = {}, endpoints: Mapping[str, str] = {}
) -> Child:
    """Start `millrace run` for the manifest, wait until it is ready, and show what it prints."""
    given = [argument for name, code in components.items() for argument in ("--component", f"{name}={code}")]
    given += [argument for name, url in endpoints.items() for argument in ("--endpoint", f"{name}={url}")]
    start = time.perf_counter()
    server = children.start("executor", "run", str(EXAMPLES / manifest), *given)
    children.wait()
    print("".join(f"  | {line}\n" for line in server.text.splitlines()), end="")
    print(f"ready after {time.perf_counter() - start:.1f} s")
    return server


def start_node(children: Children, name: str, code: NodeCode) -> Child:
    """Start `millrace node` for one class."""
    target, parameters = str(EXAMPLES / code.component), json.dumps(dict(code.parameters))
    return children.start(name, "node", target, "--type", code.type, "--name", name, "--parameters", parameters)


def get(server: Child, path: str) -> Any:
    """The JSON at `path`."""
    return fetch(urllib.request.Request(f"http://{HOST}:{server.http_port}{path}"))


def post(server: Child, path: str, content: Any) -> Any:
    """The JSON answer to `content`."""
    url, body = f"http://{HOST}:{server.http_port}{path}", json.dumps(content).encode()
    return fetch(urllib.request.Request(url, body, {"Content-Type": "application/json"}))


def fetch(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise DemoError(f"{request.full_url}: status {error.code}: {error.read().decode(errors='replace')}") from error


def expect(right: bool, otherwise: str) -> None:
    if not right:
        raise DemoError(otherwise)


def accuracy(answers: Sequence[str], truth: Sequence[str]) -> float:
    return sum(a == t for a, t in zip(answers, truth, strict=True)) / len(truth)


Result = TypeVar("Result")


def timed(call: Callable[[Any], Result], items: Iterable[Any]) -> tuple[list[Result], int]:
    """What `call` answers for each item, one after another, and the median time of one in microseconds."""
    results, seconds = [], []
    for item in items:
        start = time.perf_counter()
        results.append(call(item))
        seconds.append(time.perf_counter() - start)
    return results, median_us(seconds)


def median_us(seconds: Sequence[float]) -> int:
    return round(statistics.median(seconds) * 1e6)


def title(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
