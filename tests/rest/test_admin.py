"""The page, what it shows and the log level, as a front serves them."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import logged
from support.inference import MemoryInference
from support.rest import RawReply, ask, head, served

from executor import errors
from executor.protocol import seldon
from executor.protocol.table import Action, RestTable
from executor.rest import admin
from executor.rest.app import App
from executor.telemetry import logs


async def numbers() -> bytes:
    return b'{"name":"demo"}'


async def told(request: bytes, table: RestTable, set_level: Any = logs.set_level) -> RawReply:
    app = App(MemoryInference(), table, own=admin.Admin(numbers, set_level).actions)
    async with served(app) as (_, port):
        return await ask(port, request)


EXECUTOR = admin.with_page(seldon.EXECUTOR_REST)
ALONE = admin.alone(seldon.EXECUTOR_REST, page=True)


@pytest.mark.parametrize("table", [EXECUTOR, ALONE, admin.with_page(seldon.NODE_REST)])
async def test_the_page_has_all_that_it_needs_and_may_ask_for_nothing_else(table: RestTable) -> None:
    reply = await told(head("GET", "/"), table)
    page = reply.body.decode()
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("script", "style"):
        texts = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.S)
        hashed = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert f"; {kind}-src 'sha256-{hashed[0]}'; " in policy
        assert len(hashed) == 1
    assert "unsafe" not in policy
    assert not re.search(r"\b(src|href)=[\"'](?!data:|page\.json)|@import|url\(|\son\w+=|\sstyle=", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page)
    assert "access-control-allow-origin" not in reply.headers
    assert (reply.headers["cache-control"], reply.headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_what_the_page_shows_is_for_the_page_alone() -> None:
    reply = await told(head("GET", "/page.json"), EXECUTOR)
    assert (reply.status, reply.body) == (200, b'{"name":"demo"}')
    assert reply.headers["content-type"] == "application/json"
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/page.json"])
async def test_they_are_read_and_nothing_else(path: str) -> None:
    assert (await told(head("POST", path), EXECUTOR)).status == 405
    assert (await told(head("GET", path), seldon.EXECUTOR_REST)).status == 404


async def test_the_level_is_shown_and_changed(tmp_path: Path) -> None:
    allowed = ["debug", "info", "warning", "error", "critical"]
    with logged.to_file(tmp_path / "log", "warning"):
        reply = await told(head("GET", "/log-level"), ALONE)
        assert json.loads(reply.body) == {"level": "warning", "allowed": allowed}
        reply = await told(head("PUT", "/log-level?level=Debug"), ALONE)
        assert (reply.status, json.loads(reply.body)["level"], logs.level()) == (200, "debug", "debug")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("?level=loud", "log level 'loud': allowed are debug, info, warning, error, critical"),
        ("?level=%1b%3Cb%3E", "log level '\\x1b<b>': allowed are debug"),
        ("", "PUT /log-level?level=LEVEL sets the log level: allowed are debug"),
        ("?level=info&level=debug", "PUT /log-level?level=LEVEL sets"),
        ("?level=", "PUT /log-level?level=LEVEL sets"),
    ],
)
async def test_a_level_that_is_none_is_refused(query: str, why: str, tmp_path: Path) -> None:
    with logged.to_file(tmp_path / "log", "warning"):
        reply = await told(head("PUT", f"/log-level{query}"), ALONE)
        said: Mapping[str, Any] = json.loads(reply.body)["status"]
        assert (reply.status, said["code"]) == (400, 400)
        assert said["info"].startswith(why)
        assert logs.level() == "warning"


def test_the_public_port_has_no_level() -> None:
    for table in (seldon.EXECUTOR_REST, seldon.NODE_REST):
        with_page = admin.with_page(table)
        assert not [route for route in (*table.routes, *with_page.routes) if route.action is Action.LEVEL]
        paths = [route.path for route in with_page.routes]
        assert len(paths) == len(set(paths))


def test_the_admin_port_has_nothing_of_the_graph() -> None:
    table = replace(seldon.EXECUTOR_REST, puid=True)
    assert {route.path for route in admin.alone(table, page=True).routes} == {"/", "/page.json", "/log-level"}
    assert {route.path for route in admin.alone(table, page=False).routes} == {"/log-level"}


async def test_a_change_that_fails_is_told() -> None:
    def refuse(level: str) -> None:
        raise errors.NodeError("not now")

    reply = await told(head("PUT", "/log-level?level=info"), ALONE, refuse)
    assert (reply.status, json.loads(reply.body)["status"]["info"]) == (503, "not now")
