"""Contexts from files, and what happens when the files change or are wrong."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Authority, Scene

from executor import errors, tls
from executor.settings import NodeTlsSettings, TlsSettings


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def refusal(settings: TlsSettings | NodeTlsSettings) -> str:
    make: Any = tls.server_source if isinstance(settings, TlsSettings) else tls.node_source
    with pytest.raises(errors.RequestError) as failed:
        make(settings)
    return failed.value.message


def test_files_that_cannot_be_used(scene: Scene, tmp_path: Path) -> None:
    cert, key = scene.server.cert, scene.server.key
    other = scene.client.key
    nothing, rubbish = str(tmp_path / "none"), str(tmp_path / "rubbish")
    Path(rubbish).write_text("rubbish")
    assert refusal(TlsSettings(nothing, key)).endswith(f"{nothing}: No such file or directory")
    assert refusal(TlsSettings(cert, nothing)).endswith(f"{nothing}: No such file or directory")
    assert refusal(TlsSettings(cert, other)) == (
        f"certificate {cert} with key {other}: the key does not belong to the certificate"
    )
    assert ": not in PEM form" in refusal(TlsSettings(rubbish, key))
    assert refusal(TlsSettings(cert, key, nothing)) == f"CA certificates {nothing}: No such file or directory"
    assert refusal(NodeTlsSettings(rubbish)) == f"CA certificates {rubbish}: no certificate in PEM form in it"


def test_contexts(scene: Scene) -> None:
    source = tls.server_source(scene.serving())
    assert source.current.grpc.verify_mode is ssl.CERT_NONE
    assert tls.server_source(scene.serving(mutual=True)).current.rest.verify_mode is ssl.CERT_REQUIRED
    node = tls.node_source(NodeTlsSettings()).current.grpc
    assert (node.check_hostname, node.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert node.minimum_version is ssl.TLSVersion.TLSv1_2


def test_changed_files_are_loaded_and_broken_ones_refused(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    source = tls.server_source(scene.serving())
    first = source.current
    assert not source.check()
    Path(scene.server.cert).write_text("broken")
    assert not source.check()
    assert source.current is first
    assert "what was loaded before stays in use" in caplog.text
    caplog.clear()
    assert not source.check()
    assert caplog.text == ""
    Path(scene.server.cert).unlink()
    assert not source.check()
    assert "No such file or directory" in caplog.text
    scene.authority.pair("server")
    assert source.check()
    assert source.current is not first


async def test_watching(scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "millrace.tls")
    monkeypatch.setattr(tls, "POLL_S", 0.02)
    source = tls.node_source(scene.reaching(scene.client))
    first = source.current
    watching = asyncio.create_task(source.watch())
    Authority(scene.folder)
    async with asyncio.timeout(5):
        while source.current is first:
            await asyncio.sleep(0.01)
    assert f"loaded again: {scene.ca}" in caplog.text
    watching.cancel()


def test_a_swapped_link_is_seen(scene: Scene, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        Authority(tmp_path / name).pair("tls")
    link = tmp_path / "link"
    link.symlink_to("one")
    source = tls.server_source(TlsSettings(f"{link}/tls.crt", f"{link}/tls.key"))
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    assert source.check()
