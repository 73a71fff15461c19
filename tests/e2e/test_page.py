"""The page in a real browser: drawn from a graph that serves real requests, and never in the way of anything."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.sync_api import Browser
from support import serving
from support.browser import DESK, PHONE, Seen, browser, opened
from support.clients import Refused, RestClient
from support.containers import free_port
from support.processes import Program, Programs
from support.serving import node

SOURCE = """
class Model:
    def predict(self, X, names):
        if X == "fail":
            raise ValueError("asked to")
        return X
"""
GRAPH = node(
    "learn",
    "",
    node("first", "model"),
    node("both", "combiner", node("left", "model"), node("right", "model"), name="both"),
    implementation="EPSILON_GREEDY",
)
OVERFLOWS = "document.documentElement.scrollWidth > window.innerWidth"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "model.py").write_text(SOURCE)
    (tmp_path / "graph.yaml").write_text(serving.deployment(GRAPH))
    told = [str(tmp_path / "graph.yaml"), "--state", str(tmp_path / "state")]
    for name in ("first", "left", "right"):
        told += ["--component", f"{name}={tmp_path}/model.py:Model"]
    return [*told, "--component", f"both={serving.COMPONENTS}:Said"]


class Load:
    """A client that asks without pause, and rewards every answer, from entering to leaving."""

    def __init__(self, program: Program, fails: bool = False) -> None:
        self._rest = RestClient(program.http_port)
        self._said = {"strData": "fail" if fails else "x"}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(0.01):
            try:
                reply = self._rest.predict(self._said)
            except Refused:
                continue
            self._rest.feedback({"response": {"meta": reply.said["meta"]}, "reward": 1.0})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def url(program: Program) -> str:
    return f"http://127.0.0.1:{program.http_port}/"


def rows(seen: Seen) -> dict[str, list[str]]:
    """The table's cells by node."""
    found = seen.page.locator("#rows tr").all()
    return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in found}


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_graph_at_work(chromium: Browser, programs: Programs, arguments: list[str], size: dict[str, int]) -> None:
    program = programs.serve("run", *arguments).ready()
    with Load(program), opened(chromium, url(program), size) as seen:
        seen.until("/[1-9]/.test(document.getElementById('rate').textContent)")
        figures = "[...document.querySelectorAll('#graph .figures span:not([hidden]) em')]"
        seen.until(f"{figures}.every(each => each.textContent !== '–')")
        assert seen.text("#state") == "ready"
        assert seen.text("#name") == "demo"
        assert re.search(r"main · \d+ clients? · \d+ requests so far", seen.text("#about"))
        assert seen.page.locator("#graph .node b").all_inner_texts() == ["learn", "first", "both", "left", "right"]
        assert seen.page.locator("#graph svg path.wire").count() == 4
        assert seen.page.locator("#graph .odds:visible").count() == 2
        assert not seen.page.evaluate(OVERFLOWS)
        _nothing_overlaps(seen)
        seen.until("/[1-9]\\d* rewards/.test(document.getElementById('routers').textContent)")
        assert seen.page.locator("#routers .branch").count() == 2
        assert "learns from rewards" in seen.text("#routers")
        cells = rows(seen)
        assert list(cells) == ["learn", "first", "both", "left", "right"]
        assert cells["learn"][7] == "EPSILON_GREEDY"
        assert re.fullmatch(r"[\d.]+ (µs|ms|s)", cells["first"][3])
        assert seen.text("#share-head") in ("Call time", "Critical path")
        assert {each.rpartition("/")[2] for each in seen.asked if not each.startswith("data:")} == {"", "page.json"}


def _nothing_overlaps(seen: Seen) -> None:
    boxes = [each.bounding_box() for each in seen.page.locator("#graph .node").all()]
    for at, a in enumerate(boxes):
        for b in boxes[at + 1 :]:
            assert a is not None
            assert b is not None
            apart = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
            assert apart or a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]


def test_failures_are_seen(chromium: Browser, programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments).ready()
    with Load(program, fails=True), opened(chromium, url(program)) as seen:
        seen.until("document.getElementById('errors').textContent === '100 %'")
        seen.until("document.querySelectorAll('#graph .node.bad').length > 0")
        assert "100 % failed" in seen.text("#graph")


def test_it_outlives_the_executor(chromium: Browser, programs: Programs, arguments: list[str]) -> None:
    ports = [str(free_port()) for _ in range(2)]
    serve = ("run", *arguments, "--grpc-port", ports[0], "--http-port", ports[1])
    first = programs.start(*serve).ready()
    RestClient(first.http_port).predict({"strData": "x"})
    with opened(chromium, url(first)) as seen:
        seen.until("/ 1 requests so far/.test(document.getElementById('about').textContent)")
        first.stop()
        seen.until("/^not reachable since .*, trying again$/.test(document.getElementById('state').textContent)")
        assert seen.text("#name") == "demo"
        second = programs.start(*serve).ready()
        seen.until("document.getElementById('state').textContent === 'ready'")
        with Load(second):
            seen.until("/[1-9]/.test(document.getElementById('rate').textContent)")


def test_nobody_looks_nobody_asks(chromium: Browser, programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments).ready()
    with opened(chromium, url(program)) as seen:
        seen.until("document.getElementById('state').textContent === 'ready'")
        hide = "hidden => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
        hide += " document.dispatchEvent(new Event('visibilitychange')); }"
        seen.page.evaluate(hide, True)
        seen.page.wait_for_timeout(1500)
        before = len(seen.asked)
        seen.page.wait_for_timeout(2500)
        assert len(seen.asked) == before
        seen.page.evaluate(hide, False)
        seen.until(f"performance.getEntriesByType('resource').length >= {before}")


HOSTILE = "<img src=x onerror=\"document.title='owned'\">&amp;'\"</script><script>document.title='owned'</script>"


def test_names_are_text(chromium: Browser, programs: Programs, arguments: list[str]) -> None:
    program = programs.serve("run", *arguments).ready()
    told = RestClient(program.http_port).get("/page.json")
    told["name"] = told["predictor"] = told["version"] = HOSTILE
    for each in told["nodes"]:
        each["name"] = each["type"] = each["reached"] = HOSTILE
        for branch in each["branches"]:
            branch["name"], branch["label"] = HOSTILE, f"{HOSTILE} label"
    page = chromium.new_page()
    try:
        page.route("**/page.json", lambda route: route.fulfill(body=json.dumps(told), content_type="application/json"))
        page.goto(url(program))
        seen = Seen(page)
        seen.until("document.querySelectorAll('#graph .node').length > 0")
        page.wait_for_timeout(300)
        assert page.locator("img, main script").count() == 0
        assert page.title() != "owned"
        assert HOSTILE in seen.text("#name")
        assert seen.text("#graph .node:first-of-type b") == HOSTILE
        assert seen.complaints == []
    finally:
        page.close()


def test_a_wide_and_a_deep_graph_fit(chromium: Browser, programs: Programs, tmp_path: Path) -> None:
    deep: Any = node("end", "", implementation="SIMPLE_MODEL")
    for number in range(12):
        deep = node(f"a-rather-long-name-of-a-node-{number}", "", deep, implementation="SIMPLE_MODEL")
    wide = [node(f"leaf-{number}", "", implementation="SIMPLE_MODEL") for number in range(12)]
    (tmp_path / "graph.yaml").write_text(
        serving.deployment(node("top", "", deep, *wide, implementation="AVERAGE_COMBINER"))
    )
    program = programs.serve("run", str(tmp_path / "graph.yaml"), "--workers", "1").ready()
    for size in (DESK, PHONE):
        with opened(chromium, url(program), size) as seen:
            seen.until("document.querySelectorAll('#graph .node').length === 26")
            assert not seen.page.evaluate(OVERFLOWS)
            _nothing_overlaps(seen)


def test_it_can_be_read_without_eyes_and_in_the_dark(
    chromium: Browser, programs: Programs, arguments: list[str]
) -> None:
    program = programs.serve("run", *arguments).ready()
    colours = set()
    for scheme in ("light", "dark"):
        with opened(chromium, url(program), scheme=scheme) as seen:
            seen.until("document.querySelectorAll('#rows tr').length === 5")
            page = seen.page
            assert page.get_by_role("table").count() == 1
            assert page.get_by_role("columnheader").count() == 10
            assert page.get_by_role("rowheader").all_inner_texts()[0] == "learn"
            assert page.get_by_role("status").inner_text() == "ready"
            assert page.get_by_role("img", name="The graph, drawn; the table below says the same.").count() == 1
            assert page.get_by_role("heading", level=1).inner_text() == "demo"
            assert page.locator("html").get_attribute("lang") == "en"
            colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2
