"""Which nodes are logged, where to, and as whose."""

from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import Any

import pytest
from support.graphs import node, plan
from support.prometheus import samples

from executor import errors, manifest
from executor._native import tap, transport
from executor.graph.spec import Deployment, Logger, Predictor
from executor.payloads import Payloads, _deployment, _source
from executor.settings import (
    ALL_INTERFACES,
    ListenSettings,
    NodeTlsSettings,
    PayloadLogSettings,
    RunSettings,
    TlsSettings,
)
from executor.settings import Deployment as Told
from executor.telemetry.store import Store

Tap = Callable[..., tap.Tap | None]
URL = "http://127.0.0.1:9/"


@pytest.fixture
async def tapped() -> AsyncIterator[Tap]:
    reactor = transport.Reactor()
    payloads = Payloads(reactor)

    def make(root: Any, **settings: Any) -> tap.Tap | None:
        predictor = Predictor("main", root)
        selected = manifest.Selected(Deployment("demo", (predictor,)), predictor)
        return payloads.tap_for(plan(root), selected, RunSettings("graph", **settings))

    yield make
    await payloads.stop()
    reactor.close()


async def test_modes(tapped: Tap) -> None:
    root = node(
        "a", "model", node("b", logger=Logger("request", URL)), node("c", logger=Logger("response", URL)),
        logger=Logger("all", URL),
    )  # fmt: skip
    made = tapped(root)
    assert made is not None
    response = tap.RESPONSE | tap.FEEDBACK
    assert made.nodes == (tap.REQUEST | response, tap.REQUEST, response)


async def test_without_loggers_there_is_no_tap(tapped: Tap) -> None:
    assert tapped(node("a"), payload_log=PayloadLogSettings(default_url=URL)) is None


async def test_nodes_without_a_url_go_to_the_default_or_nowhere(tapped: Tap, caplog: pytest.LogCaptureFixture) -> None:
    root = node("a", "model", node("b", logger=Logger("all", URL)), logger=Logger("all"))
    made = tapped(root)
    assert made is not None
    assert made.nodes[0] == 0
    assert "node 'a': its payloads are not logged" in caplog.text
    made = tapped(root, payload_log=PayloadLogSettings(default_url=URL))
    assert made is not None
    assert made.nodes[0] != 0


async def test_a_url_that_is_none_names_the_node(tapped: Tap) -> None:
    with pytest.raises(errors.RequestError, match=r"node 'a': logger.url 'kafka://x'"):
        tapped(node("a", logger=Logger("all", "kafka://x")))


async def test_seldons_executor_begins_with_a_url_that_is_none_and_fails_requests(
    tapped: Tap, caplog: pytest.LogCaptureFixture
) -> None:
    root = node("a", "model", node("b", logger=Logger("request", URL)), logger=Logger("all", "http://x:port"))
    made = tapped(root, by_front=True)
    assert made is not None
    allowed = "allowed is http://HOST[:PORT][/PATH][?QUERY], or https://"
    said = f"its payloads cannot be logged: logger.url 'http://x:port': ':port' is no port; {allowed}"
    assert {index: text.decode() for index, text in made.faults.items()} == {0: said}
    assert all(made.nodes)
    (told,) = caplog.messages
    assert "node 'a': logger.url 'http://x:port'" in told
    assert "requests that reach the node fail" in told
    made = tapped(node("a", logger=Logger("all")), by_front=True, payload_log=PayloadLogSettings(default_url=":x"))
    assert made is not None
    assert b"the default URL of payload logs ':x'" in made.faults[0]


async def test_seldons_executor_serves_on_where_nothing_can_be_posted_to_a_url(
    tapped: Tap, caplog: pytest.LogCaptureFixture
) -> None:
    assert tapped(node("a", logger=Logger("all", "kafka://x")), by_front=True) is None
    (told,) = caplog.messages
    assert told.startswith("node 'a': logger.url 'kafka://x': allowed is http://HOST")
    assert told.endswith("; its payloads are not logged")


async def test_ca_files_that_cannot_be_used_are_told_at_once() -> None:
    reactor = transport.Reactor()
    payloads = Payloads(reactor, NodeTlsSettings(ca="/nowhere.pem"))
    predictor = Predictor("main", node("a", logger=Logger("all", "https://x")))
    with pytest.raises(errors.RequestError, match=r"/nowhere.pem: No such file"):
        payloads.tap_for(
            plan(predictor.graph), manifest.Selected(Deployment("d", (predictor,)), predictor), RunSettings("g")
        )
    reactor.close()


@pytest.mark.parametrize(
    ("settings", "source"),
    [
        ({}, "http://127.0.0.1:8000/"),
        ({"listen": ListenSettings(ALL_INTERFACES, 0, 81)}, "http://localhost:81/"),
        ({"listen": ListenSettings("::", 0, None), "tls": TlsSettings("c", "k")}, "https://[::]/"),
        ({"payload_log": PayloadLogSettings(source="http://pod:1/")}, "http://pod:1/"),
    ],
)
def test_the_source_is_where_the_executor_serves(settings: dict[str, Any], source: str) -> None:
    asked = settings.get("payload_log") or PayloadLogSettings()
    assert _source(RunSettings("graph", **settings), asked) == source


def test_whose_payloads_they_are() -> None:
    predictor = Predictor("main", node("a"))
    selected = manifest.Selected(Deployment("demo", (predictor,), "shop"), predictor)
    assert _deployment(selected, RunSettings("graph")) == Told("demo", "shop", "main")
    told = Told("churn", "n", "p")
    assert _deployment(selected, RunSettings("graph", deployment=told)) == told


async def test_what_was_sent_and_lost_is_counted() -> None:
    reactor = transport.Reactor()
    payloads = Payloads(reactor)
    with closing(Store()) as store:
        payloads.count(store)
        assert "millrace_payloads" not in store.text()[1].decode()
        predictor = Predictor("main", node("a", logger=Logger("all", URL)))
        selected = manifest.Selected(Deployment("demo", (predictor,)), predictor)
        assert payloads.tap_for(plan(predictor.graph), selected, RunSettings("graph")) is not None
        assert payloads.log is not None
        payloads.log.lose(2, "a test")
        payloads.count(store)
        text = store.text()[1].decode()
        assert samples(text, "millrace_payloads_total", result="lost") == [2]
        assert samples(text, "millrace_payloads_total", result="sent") == [0]
        assert samples(text, "millrace_payloads_waiting") == [0]
    await payloads.stop()
    reactor.close()
