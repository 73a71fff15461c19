"""Every walk through a graph, with nodes of every kind and clients of both: the answer and the calls are the same."""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support import foreign, serving
from support.clients import Client
from support.processes import Programs
from support.serving import COMPONENTS, Served, node

NAMES = ("a", "b", "c", "r", "m0", "m1")
KINDS = ("process", "unix", "millrace-grpc", "millrace-rest", "grpcio", "http.server", "mixed")
CLIENTS = pytest.mark.parametrize("client", ["grpc", "rest"])

Urls = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("walks") / "calls"


@pytest.fixture(scope="module")
def nodes(log: Path) -> Iterator[tuple[Programs, Urls]]:
    """Where each node is, by kind of node: `millrace node` processes, grpcio servers, http.servers."""
    with contextlib.ExitStack() as stack:
        programs = stack.enter_context(Programs())
        urls: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        for name in NAMES:
            answer = partial(_answer, name, log)
            urls["grpcio"][name] = stack.enter_context(foreign.grpc_node(answer))
            urls["http.server"][name] = stack.enter_context(foreign.http_node(answer))
            given = json.dumps({"name": name, "log": str(log)})
            sock = str(log.with_name(f"{name}.sock"))
            programs.serve("node", f"{COMPONENTS}:Said", "--name", name, "--parameters", given, "--uds", sock)
            urls["unix"][name] = f"unix:{sock}"
        for name, program in zip(NAMES, programs.all, strict=True):
            program.ready()
            urls["millrace-grpc"][name] = f"grpc://{program.grpc}"
            urls["millrace-rest"][name] = f"http://127.0.0.1:{program.http_port}"
        kinds = itertools.cycle(["millrace-rest", "grpcio", "http.server", "millrace-grpc"])
        urls["mixed"] = {name: urls[kind][name] for name, kind in zip(NAMES[:5], kinds, strict=False)}
        yield programs, urls


@pytest.fixture(autouse=True)
def _shown(nodes: tuple[Programs, Urls], log: Path) -> Iterator[None]:
    log.write_text("")
    yield
    nodes[0].show()


def _answer(name: str, log: Path, method: str, content: Any, headers: Mapping[str, str]) -> Any:
    """What a node that is not ours answers: the same as `components.Said`."""
    if method == "send_feedback":
        asked, truth = (_features(content.get(part, {})) for part in ("request", "truth"))
        routing = content.get("response", {}).get("meta", {}).get("routing", {}).get(name)
        text = f"{asked},{content.get('reward', 0):g},{truth},{routing}"
    elif method == "aggregate":
        text = "[" + ",".join(each["strData"] for each in content) + "]"
    else:
        text = content["strData"]
    with log.open("a") as file:
        file.write(f"{name}.{method}({text})\n")
    if method == "route":
        return {"data": {"ndarray": [[int(text.rpartition("#")[2].rstrip(")"))]]}}
    return {"strData": f"{name}.{method}({text})"}


def _features(message: Mapping[str, Any]) -> str | None:
    return " ".join(message.get("data", {}).get("ndarray", ())) or None


def _array(text: str) -> dict[str, Any]:
    return {"data": {"ndarray": [text]}}


Make = Callable[[Mapping[str, Any]], Served]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, nodes: tuple[Programs, Urls], log: Path) -> Make:
    """Serves a graph whose nodes are of one kind."""
    urls = nodes[1][request.param]

    def served(root: Mapping[str, Any]) -> Served:
        names = [each["name"] for each in _walk(root) if each.get("type") or each.get("methods")]
        for each in _walk(root):
            each["parameters"] = [{"name": "name", "value": each["name"], "type": "STRING"},
                                  {"name": "log", "value": str(log), "type": "STRING"}]  # fmt: skip
        inside = {name: "Said" for name in names if name not in urls}
        return serving.graph(root, inside, {name: urls[name] for name in names if name in urls})

    return served


def _walk(root: Mapping[str, Any]) -> Iterator[Any]:
    yield root
    for child in root["children"]:
        yield from _walk(child)


def _routed(route: int) -> list[str]:
    return {0: ["m0.predict(x#0)"], 1: ["m1.predict(x#1)"], -1: ["m0.predict(x#-1)", "m1.predict(x#-1)"], -2: []}[route]


def _router_case(route: int) -> Any:
    root = node("r", "router", node("m0", "model"), node("m1", "model"))
    calls = _routed(route)
    return pytest.param(
        root, f"x#{route}", calls[0] if calls else f"x#{route}", [f"r.route(x#{route})", *calls], id=f"route {route}"
    )


def _methods_case(route: int) -> Any:
    methods = ["TRANSFORM_INPUT", "ROUTE", "AGGREGATE", "TRANSFORM_OUTPUT"]
    root = node("r", "", node("m0", "model"), node("m1", "model"), methods=methods)
    taken = f"r.transform_input(x#{route})"
    children = [f"{name}.predict({taken})" for name in ("m0", "m1") if route in (-1, int(name[1]))]
    joined = f"r.aggregate([{','.join(children)}])"
    answer = f"r.transform_output({joined})"
    calls = [taken, f"r.route({taken})", *children, joined, answer]
    return pytest.param(root, f"x#{route}", answer, calls, id=f"methods, route {route}")


def _nested() -> Any:
    inner = node("r", "router", node("m0", "model"), node("m1", "model"))
    root = node("a", "transformer", node("c", "combiner", inner, node("b", "model")))
    taken = "a.transform_input(x#1)"
    answers = [f"m1.predict({taken})", f"b.predict({taken})"]
    answer = f"c.aggregate([{','.join(answers)}])"
    return pytest.param(root, "x#1", answer, [taken, f"r.route({taken})", *answers, answer], id="nested")


def _case(root: Mapping[str, Any], *calls: str, answer: str = "", id: str = "") -> Any:
    return pytest.param(root, "x", answer or calls[-1], list(calls), id=id)


PAIR = ("m0.predict(x)", "m1.predict(x)")
WALKS = [
    _case(node("a", "model", node("b", "model")), "a.predict(x)", "b.predict(a.predict(x))", id="chain"),
    _case(node("a", "transformer", node("b", "model")), "a.transform_input(x)", "b.predict(a.transform_input(x))",
          id="transformer"),
    _case(node("a", "output", node("b", "model")), "b.predict(x)", "a.transform_output(b.predict(x))", id="output"),
    *(_router_case(route) for route in (0, 1, -1, -2)),
    _case(node("c", "combiner", node("m0", "model"), node("m1", "model")), *PAIR, f"c.aggregate([{','.join(PAIR)}])",
          id="combiner"),
    _case(node("a", "model", node("b", "model"), node("c", "model")), "a.predict(x)", "b.predict(a.predict(x))",
          "c.predict(a.predict(x))", answer="b.predict(a.predict(x))", id="fan-out"),
    *(_methods_case(route) for route in (0, 1, -1)),
    _nested(),
]  # fmt: skip


@pytest.mark.parametrize(("root", "text", "answer", "calls"), WALKS)
def test_walk(make: Make, log: Path, root: Mapping[str, Any], text: str, answer: str, calls: list[str]) -> None:
    with make(root) as served:
        for client in (served.grpc, served.rest):
            log.write_text("")
            reply = client.predict({"strData": text})
            assert reply.said["strData"] == answer
            made = log.read_text().splitlines()
            assert sorted(made) == sorted(calls)
            assert _in_order(made)


def _in_order(made: list[str]) -> bool:
    """Whether each call came after those whose answers it holds."""
    return all(call not in earlier for index, call in enumerate(made) for earlier in made[:index])


def test_feedback_follows_the_route_that_was_taken(make: Make, log: Path) -> None:
    inner = node("r", "router", node("m0", "model"), node("m1", "model"))
    with make(node("a", "transformer", node("c", "combiner", inner, node("b", "model")))) as served:
        for client in (served.grpc, served.rest):
            answer = client.predict({"strData": "x#1"}).said
            assert answer["meta"] == {"routing": {"r": 1}}
            log.write_text("")
            given = {"request": _array("x#1"), "response": answer, "reward": 0.5, "truth": _array("t")}
            assert client.feedback(given).said == ({} if client is served.grpc else given)
            made = log.read_text().splitlines()
            assert sorted(made) == [
                "b.send_feedback(x#1,0.5,t,None)",
                "m1.send_feedback(x#1,0.5,t,None)",
                "r.send_feedback(x#1,0.5,t,1)",
            ]
            assert made.index("m1.send_feedback(x#1,0.5,t,None)") < made.index("r.send_feedback(x#1,0.5,t,1)")


def test_feedback_is_answered_by_the_root(make: Make, log: Path) -> None:
    with make(node("a", "model", node("b", "model"))) as served:
        for client in (served.grpc, served.rest):
            log.write_text("")
            said = client.feedback({"request": _array("x"), "response": {}, "reward": 1}).said
            assert said["strData"] == "a.send_feedback(x,1,None,None)"
            assert log.read_text().splitlines() == [
                "b.send_feedback(x,1,None,None)", "a.send_feedback(x,1,None,None)"
            ]  # fmt: skip


@CLIENTS
def test_built_ins_make_no_calls(make: Make, log: Path, client: str) -> None:
    first = node("s", "", implementation="SIMPLE_MODEL")
    with make(node("sr", "", first, node("b", "model"), implementation="SIMPLE_ROUTER")) as served:
        asked: Client = getattr(served, client)
        assert asked.predict({"strData": "x"}).said["strData"] == "x"
        assert log.read_text() == ""


def test_feedback_of_an_ab_test_reaches_the_child_that_answered(make: Make, log: Path) -> None:
    root = node("ab", "", node("m0", "model"), node("m1", "model"), implementation="RANDOM_ABTEST")
    with make(root) as served:
        for client in (served.grpc, served.rest):
            answer = client.predict({"strData": "x"}).said
            chosen = f"m{answer['meta']['routing']['ab']}"
            assert answer["strData"] == f"{chosen}.predict(x)"
            log.write_text("")
            given = {"request": _array("x"), "response": answer, "reward": 2}
            assert client.feedback(given).said == ({} if client is served.grpc else given)
            assert log.read_text().splitlines() == [f"{chosen}.send_feedback(x,2,None,None)"]


def test_many_requests_at_once_get_each_its_own_answer(make: Make) -> None:
    with make(node("c", "combiner", node("a", "model", node("b", "model")), node("m1", "model"))) as served:
        calls = [served.grpc.start({"strData": str(index)}) for index in range(100)]
        for index, call in enumerate(calls):
            said = f"c.aggregate([b.predict(a.predict({index})),m1.predict({index})])"
            assert call.result().strData == said
