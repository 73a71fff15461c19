"""How often, how long and in which words nodes are asked whether they are well."""

import asyncio
import logging

import pytest

from executor import errors
from executor.health import Check, GraphHealth


class Node:
    """A node that counts how often it is asked."""

    def __init__(self, error: BaseException | None = None, pause_s: float = 0.0) -> None:
        self.error = error
        self.pause_s = pause_s
        self.asked = 0

    async def check(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.pause_s)
        if self.error is not None:
            raise self.error


def health(timeout_s: float = 5.0, **nodes: Node) -> GraphHealth:
    checks: dict[str, Check] = {name: each.check for name, each in nodes.items()}
    return GraphHealth(checks, timeout_s)


async def test_what_is_wrong_is_told_by_node() -> None:
    asked = health(
        0.02,
        well=Node(), gone=Node(ConnectionRefusedError(111, "Connection refused")), odd=Node(OSError("odd")),
        ill=Node(errors.NodeError("it is ill")), slow=Node(pause_s=30),
        bad=Node(UnicodeError("label too long")),
    )  # fmt: skip
    assert await asked.look() == {
        "gone": "Connection refused", "odd": "odd", "ill": "it is ill", "slow": "no answer within 0.02 s",
        "bad": "UnicodeError: label too long",
    }  # fmt: skip
    assert await health(well=Node()).look() == {}
    assert await health().look() == {}


async def test_probes_that_come_at_once_share_one_question() -> None:
    node = Node(pause_s=0.05)
    asked = health(m=node)
    first = asyncio.create_task(asked.look())
    await asyncio.sleep(0.01)
    first.cancel()  # whoever gives up takes nothing from the others
    assert list(await asyncio.gather(asked.look(), asked.look())) == [{}, {}]
    assert node.asked == 1
    await asked.look()
    assert node.asked == 2


async def test_each_probe_asks_anew() -> None:
    node = Node()
    asked = health(m=node)
    for _ in range(5):
        assert await asked.look() == {}
    assert node.asked == 5


async def test_only_changes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    node = Node(errors.NodeError("it is ill"))
    asked = health(m=node)
    caplog.set_level(logging.INFO, "millrace")
    for _ in range(3):
        await asked.look()
    node.error = None
    for _ in range(3):
        await asked.look()
    assert caplog.messages == ["not ready: node 'm': it is ill", "node 'm' is well again"]


async def test_closing_ends_what_is_asked() -> None:
    node = Node(pause_s=30)
    asked = health(m=node)
    await asked.close()
    waiting = asyncio.create_task(asked.look())
    await asyncio.sleep(0)
    await asked.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_it_says_whom_it_asks() -> None:
    assert health(a=Node(), b=Node()).names == {"a", "b"}
