"""The clients over TLS, against a program that serves with it."""

import ssl
from pathlib import Path

import pytest
from support.certificates import Scene
from support.graphs import node
from support.servers import serving

from executor import errors, tls
from executor.client.asynchronous import AsyncClient
from executor.client.synchronous import Client


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_files(scene: Scene) -> None:
    async with serving(node("m"), tls=tls.server_source(scene.serving(mutual=True))) as served:
        async with AsyncClient(served.target, ca=scene.ca, cert=scene.client.cert, key=scene.client.key) as client:
            assert "hello" in str((await client.predict("hello")).value)


async def test_a_context_of_ones_own(scene: Scene) -> None:
    context = ssl.create_default_context(cafile=scene.ca)
    async with serving(node("m"), tls=tls.server_source(scene.serving())) as served:
        async with AsyncClient(served.target, tls=context) as client:
            assert "hello" in str((await client.predict("hello")).value)
        async with AsyncClient(served.target, tls=True) as client:
            with pytest.raises(errors.NodeError, match="certificate verify failed"):
                await client.predict("hello")


def test_what_does_not_fit(scene: Scene) -> None:
    with pytest.raises(errors.RequestError, match="give a context, or files, not both"):
        Client("localhost:1", tls=ssl.create_default_context(), ca=scene.ca)
    with pytest.raises(errors.RequestError, match="key: needs cert"):
        Client("localhost:1", key=scene.client.key)
