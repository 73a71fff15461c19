"""Tests `webhook` as the API server meets it: reviews over TLS by the CA that it was told, and bad requests."""

import base64
import contextlib
import http.client
import json
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from kubernetes import client
from support import reviews
from support.apiserver import ApiServer
from support.processes import poll
from support.resources import CONFIG, ONE, sdep

from executor.errors import Error
from operator_lite import webhook
from operator_lite.api import Api
from operator_lite.config import Config
from operator_lite.trust import CONFIGURATIONS, SECRET, Place
from operator_lite.webhook import Settings, Webhook, served

PLACE = Place("millrace-system")
VALIDATE, MUTATE = webhook.REVIEWS
JSON = {"Content-Type": "application/json"}
VALIDATING = (CONFIGURATIONS[0].api_version, CONFIGURATIONS[0].plural)


class Scene:
    """A cluster whose API server asks the webhook."""

    def __init__(self) -> None:
        self.server = ApiServer()
        for kind in (SECRET, *CONFIGURATIONS):
            self.server.store.install((kind.api_version, kind.plural))
        found = {
            "apiVersion": CONFIGURATIONS[0].api_version,
            "kind": CONFIGURATIONS[0].name,
            "metadata": {"name": PLACE.configuration},
            "webhooks": [{"name": "validate.seldondeployments.millrace", "clientConfig": {"service": {}}}],
        }
        self.server.store.create(VALIDATING, found, "kubectl", False)
        self.config: Config | Exception = CONFIG
        settings = client.Configuration()
        settings.host = self.server.url
        self.api = Api(settings)
        self.open = contextlib.ExitStack()

    def configured(self) -> Config:
        if isinstance(self.config, Exception):
            raise self.config
        return self.config

    @contextmanager
    def running(self, linger_s: float = 0.0) -> Iterator[Webhook]:
        settings = Settings(PLACE, 0, "127.0.0.1", linger_s)
        with served(settings, self.api, self.configured) as found:
            assert found is not None
            with self.open:
                yield found

    def bundle(self) -> str:
        (found,) = self.server.store.get(VALIDATING, ("", PLACE.configuration))["webhooks"]
        return base64.b64decode(found["clientConfig"].get("caBundle", "")).decode()

    def connect(self, port: int) -> http.client.HTTPConnection:
        """By the service's name, trusting what the configuration says: as the API server does."""
        poll(self.bundle, 30, "a CA in the configuration")
        context = ssl.create_default_context(cadata=self.bundle())
        plain = socket.create_connection(("127.0.0.1", port), 30)
        found = http.client.HTTPConnection(PLACE.hosts[0], timeout=30)
        found.sock = context.wrap_socket(self.open.enter_context(plain), server_hostname=PLACE.hosts[0])
        self.open.enter_context(found.sock)
        self.open.callback(found.close)
        return found


@pytest.fixture
def scene() -> Iterator[Scene]:
    found = Scene()
    yield found
    found.server.stop()


@pytest.fixture
def asked(scene: Scene) -> Iterator[http.client.HTTPConnection]:
    with scene.running() as found:
        yield scene.connect(found.port)


def ask(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str] = JSON, method: str = "POST"
) -> tuple[int, Any]:
    """Status, and what is answered."""
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text)["response"] if answer.status == 200 else text.decode().rstrip("\n")


def test_a_resource_is_taken_refused_or_filled_in(asked: http.client.HTTPConnection) -> None:
    status, said = ask(asked, VALIDATE, reviews.body(sdep()))
    assert (status, said["allowed"]) == (200, True)
    _, said = ask(asked, VALIDATE, reviews.body(sdep(ONE.replace("type: MODEL", "type: MODLE"))))
    assert said["allowed"] is False
    assert said["status"]["message"].startswith('spec.predictors[0].graph.type: "MODLE" is not allowed')
    _, said = ask(asked, MUTATE, reviews.body(sdep()))
    assert {each["path"] for each in reviews.changes(said)} == {
        "/spec/predictors/0/labels", "/spec/predictors/0/graph/implementation",
    }  # fmt: skip


def test_the_configuration_of_the_moment_counts(scene: Scene, asked: http.client.HTTPConnection) -> None:
    found = reviews.body(sdep("protocol: v2\n" + ONE))
    assert ask(asked, VALIDATE, found)[1]["allowed"] is False
    scene.config = replace(CONFIG, engine_image="theirs")
    assert ask(asked, VALIDATE, found)[1]["allowed"] is True


def test_a_timeout_that_is_said_and_letters_of_a_type_do_not_matter(asked: http.client.HTTPConnection) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8", "Accept": "application/json, */*"}
    assert ask(asked, f"{VALIDATE}?timeout=10s", reviews.body(sdep()), headers)[0] == 200


def test_a_body_in_chunks_is_read(asked: http.client.HTTPConnection) -> None:
    text = reviews.body(sdep())
    asked.request("POST", VALIDATE, (text[at : at + 100] for at in range(0, len(text), 100)), JSON, encode_chunked=True)
    assert json.loads(asked.getresponse().read())["response"]["allowed"] is True


def test_probes(asked: http.client.HTTPConnection) -> None:
    for path in webhook.PAGES:
        asked.request("GET", path)
        answer = asked.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok\n")
    asked.request("HEAD", "/readyz")
    answer = asked.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "told"),
    [
        ("POST", "/", JSON, b"{}", 404, "there is nothing at /; there is /validate-machinelearning-seldon-io-v1-"),
        ("GET", VALIDATE, {}, b"", 405, "takes POST"),
        ("POST", "/readyz", JSON, b"{}", 405, "/readyz takes GET"),
        ("POST", VALIDATE, {}, b"{}", 415, "the body must be application/json"),
        ("POST", VALIDATE, {"Content-Type": "application/yaml"}, b"{}", 415, "must be application/json"),
        ("POST", VALIDATE, JSON, b"", 400, "the body is no JSON"),
        ("POST", VALIDATE, JSON, b"\x00\xff", 400, "the body is no JSON"),
        ("POST", MUTATE, JSON, b"{}", 400, "the body must be an AdmissionReview of admission.k8s.io/v1"),
        ("POST", MUTATE, JSON, reviews.body(None), 400, "request.object must be a mapping"),
        ("POST", VALIDATE, JSON, b" " * (webhook.BODY_MAX + 1), 413, "larger than the 8388608 bytes allowed"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    scene: Scene, method: str, path: str, headers: dict[str, str], body: bytes, status: int, told: str
) -> None:
    with scene.running() as found:
        connection = scene.connect(found.port)
        answer = ask(connection, path, body, headers, method)
        assert answer[0] == status
        assert told in answer[1]
        assert ask(scene.connect(found.port), VALIDATE, reviews.body(sdep()))[0] == 200


def test_a_body_without_end_is_cut_off(asked: http.client.HTTPConnection) -> None:
    asked.putrequest("POST", VALIDATE)
    asked.putheader("Content-Type", "application/json")
    asked.putheader("Transfer-Encoding", "chunked")
    asked.endheaders()
    piece = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    with pytest.raises(OSError):  # noqa: PT011, PT012 it breaks at some piece, in one way or another
        for _ in range(256):
            asked.send(piece)


def test_a_body_that_does_not_come_is_not_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODY_S", 0.2)
    with scene.running() as found:
        connection = scene.connect(found.port)
        connection.putrequest("POST", VALIDATE)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"{")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (408, "close")
        assert b"did not come within 0.2 s" in answer.read()


def test_memory_for_bodies_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BODIES_MAX", 1000)
    with scene.running() as found:
        holding = scene.connect(found.port)
        holding.putrequest("POST", VALIDATE)
        holding.putheader("Content-Type", "application/json")
        holding.putheader("Content-Length", "100000")
        holding.endheaders(b" " * 2000)
        assert holding.getresponse().status == 503
        assert ask(scene.connect(found.port), VALIDATE, reviews.body(sdep()))[0] == 200


def test_what_nobody_thought_of_is_an_error_of_this_request_alone(
    scene: Scene, asked: http.client.HTTPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    scene.config = ZeroDivisionError("surprise")
    assert ask(asked, VALIDATE, reviews.body(sdep())) == (500, "the review failed; see the log of the operator")
    assert "surprise" in caplog.text
    scene.config = CONFIG
    assert ask(asked, VALIDATE, reviews.body(sdep()))[0] == 200


def test_many_ask_at_once(scene: Scene) -> None:
    with scene.running() as found:
        connections = [scene.connect(found.port) for _ in range(12)]
        for each in connections:
            each.request("POST", VALIDATE, reviews.body(sdep()), JSON)
        assert {each.getresponse().status for each in connections} == {200}


def test_replicas_answer_by_the_same_ca(scene: Scene) -> None:
    with scene.running() as first, scene.running() as second:
        poll(lambda: scene.bundle() != "", 30)
        for each in (first, second, first):
            poll(lambda each=each: each.is_ready, 30)  # type: ignore[misc]
            assert ask(scene.connect(each.port), VALIDATE, reviews.body(sdep()))[0] == 200


def test_it_answers_for_a_while_after_it_was_told_to_stop(scene: Scene) -> None:
    with scene.running(linger_s=0.5) as found:
        connection = scene.connect(found.port)
        assert ask(connection, VALIDATE, reviews.body(sdep()))[0] == 200
        ends = time.monotonic()
    assert time.monotonic() - ends >= 0.5
    with pytest.raises(ConnectionRefusedError):
        scene.connect(found.port)


def test_without_an_api_server_it_waits_and_can_be_stopped(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    scene.server.stop()
    with scene.running() as found:
        poll(lambda: "the webhook's certificates" in caplog.text, 30)
        assert not found.is_ready
    scene.server.start()


def test_none_is_served_without_settings(scene: Scene) -> None:
    with served(webhook.settings(None, "ns"), scene.api, scene.configured) as found:
        assert found is None
    assert scene.server.requests == []


def test_options_become_settings() -> None:
    said = {"host": "::", "port": 4443, "service": "s", "secret": "t", "configuration": "c"}
    found = webhook.settings(said, "ns")
    assert found == Settings(Place("ns", "s", "t", "c"), 4443, "::")
    assert found is not None
    assert found.place.hosts[0] == "s.ns.svc"


def test_a_port_that_is_taken_is_an_error(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(PLACE, taken.getsockname()[1], "127.0.0.1")
        with pytest.raises(Error, match="cannot listen"), served(settings, scene.api, scene.configured):
            raise AssertionError("it listens")
