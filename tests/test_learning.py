"""Tests `executor.learning`: routers at work, their thread, and places that fail."""

import asyncio
import json
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.graphs import node, plan
from support.prometheus import samples
from support.redis_server import redis_server

from executor import errors, state
from executor._native import exits, seldon, seldon_json
from executor._native import message as native
from executor.graph.spec import Parameter
from executor.learning import Learning, Router
from executor.state import Pulls
from executor.status import Status
from executor.telemetry.branches import Branches
from executor.telemetry.store import Store
from executor.types import Encoding, Form, Method, Mode

ROUTES: list[Any] = [1.5, "x", True, 99999999999, []]
CODECS = pytest.mark.parametrize("codec", [seldon, seldon_json])


@pytest.fixture
async def learn() -> AsyncIterator[Callable[[], Learning]]:
    made: list[Learning] = []

    def build() -> Learning:
        made.append(Learning())
        return made[-1]

    yield build
    for each in made:
        each.close()


def router(learning: Learning, where: str, *children: str, kind: str = "EPSILON_GREEDY", **parameters: Any) -> Router:
    given = tuple(Parameter(name, value, "STRING", str(value)) for name, value in parameters.items())
    root = node("r", "", *(node(name) for name in children or ("a", "b")), implementation=kind)
    made = plan(type(root)(**{**{name: getattr(root, name) for name in root.__slots__}, "parameters": given}))
    return learning.router(made.root, made, where)


def feedback(
    reward: float, route: int | None = 0, puid: str = "", codec: Any = seldon, node: str = "r"
) -> native.Message:
    meta: dict[str, Any] = {"routing": {node: route}} if route is not None else {}
    if puid:
        meta["puid"] = puid
    message: native.Message = codec.build_feedback(None, codec.build("strData", "y", meta=meta), reward, None)
    return message


def said(routing: Any) -> native.Message:
    text = json.dumps({"response": {"meta": {"routing": routing}}, "reward": 1})
    return native.Message(text.encode(), int(Encoding.SELDON_JSON), int(Form.FEEDBACK))


async def send(learning: Learning, made: Router, message: native.Message) -> native.Message:
    mode, handler = learning.handlers(made)[Method.SEND_FEEDBACK]
    assert mode is Mode.ASYNC
    answer: native.Message = await handler(message, exits.Context.__new__(exits.Context))
    return answer


def counted(made: Router) -> list[tuple[str, int, int, float]]:
    return [(each.name, each.pulls, each.rewards, each.mean) for each in made.report()]


@CODECS
async def test_a_reward_is_learned_from_at_once(learn: Callable[[], Learning], codec: Any) -> None:
    learning = learn()
    made = router(learning, "memory", epsilon=0.2)
    await learning.start([made])
    assert [each.chance for each in made.report()] == pytest.approx([0.9, 0.1])
    answer = await send(learning, made, feedback(1.0, 1, codec=codec))
    assert bytes(answer) == (b"" if codec is seldon else b"{}")
    assert [each.chance for each in made.report()] == pytest.approx([0.1, 0.9])
    assert counted(made) == [("a", 0, 0, 0.0), ("b", 0, 1, 1.0)]
    picked = [made.weights.pick() for _ in range(200)]
    assert picked.count(1) > 140
    assert sum(each.pulls for each in made.report()) == 200


async def test_a_second_reward_of_a_request_is_acknowledged_and_not_counted(
    learn: Callable[[], Learning], caplog: pytest.LogCaptureFixture
) -> None:
    learning = learn()
    made = router(learning, "memory", verbose=True, branch_names="old:new")
    await learning.start([made])
    with caplog.at_level(logging.INFO, "millrace"):
        for reward in (1.0, 0.0):
            await send(learning, made, feedback(reward, 1, "p"))
    assert counted(made)[1] == ("b", 0, 1, 1.0)
    assert caplog.messages == [
        "node 'r': reward 1 for new",
        "node 'r': reward 0 for new, for a request that had one: not counted",
    ]
    for _ in range(2):
        await send(learning, made, feedback(0.5, 0))
    assert counted(made)[0] == ("a", 0, 2, 0.5)


@pytest.mark.parametrize("kind", ["THOMPSON_SAMPLING", "UCB1", "EXP3"])
@pytest.mark.parametrize("reward", [-0.1, 1.5, float("nan"), float("inf")])
async def test_rewards_out_of_range_are_refused(learn: Callable[[], Learning], kind: str, reward: float) -> None:
    learning = learn()
    made = router(learning, "memory", kind=kind)
    await learning.start([made])
    with pytest.raises(errors.RequestError, match=rf"node 'r': reward must be from 0 to 1, not {reward:g}"):
        await send(learning, made, feedback(reward))
    assert counted(made)[0] == ("a", 0, 0, 0.0)


async def test_epsilon_greedy_takes_any_finite_reward(learn: Callable[[], Learning]) -> None:
    learning = learn()
    made = router(learning, "memory")
    await learning.start([made])
    await send(learning, made, feedback(-250.0))
    assert counted(made)[0] == ("a", 0, 1, -250.0)
    with pytest.raises(errors.RequestError, match="reward must be finite, not nan"):
        await send(learning, made, feedback(float("nan")))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (feedback(1.0, None), "response.meta.routing does not say which branch was taken; it names nothing"),
        (feedback(1.0, 0, node="q"), "response.meta.routing does not say which branch was taken; it names q"),
        (feedback(1.0, 2), "response.meta.routing is 2; allowed are 0 to 1; branches are a, b"),
        (feedback(1.0, -1), "response.meta.routing is -1; allowed are 0 to 1; branches are a, b"),
        (seldon.build_feedback(None, None, 1.0, None), "it names nothing"),
        *((said({"r": route}), "response.meta.routing is .*; allowed are 0 to 1") for route in ROUTES),
        (said(["r"]), ""),
    ],
)
async def test_feedback_without_a_branch_is_refused(
    learn: Callable[[], Learning], message: native.Message, told: str
) -> None:
    learning = learn()
    made = router(learning, "memory")
    await learning.start([made])
    with pytest.raises(errors.Error, match=f"node 'r': .*{told}" if told else "routing") as caught:
        await send(learning, made, message)
    assert caught.value.status is Status.INVALID_ARGUMENT


async def test_exp3_weighs_by_the_chance_at_the_pull(learn: Callable[[], Learning]) -> None:
    learning = learn()
    made = router(learning, "memory", kind="EXP3", gamma=0.5)
    await learning.start([made])
    made.weights.set_chances([0.8, 0.2])
    taken = [made.weights.pick(f"p{number}") for number in range(40)]
    late = taken.index(1)
    made.weights.set_chances([0.5, 0.5])
    reward = made.reward(seldon.open_feedback(feedback(1.0, 1, f"p{late}")))
    assert reward.branch == "b"
    assert reward.gain == pytest.approx(1.0 / 0.2)
    assert made.reward(seldon.open_feedback(feedback(1.0, 1, "forgotten"))).gain == pytest.approx(2.0)


async def test_another_process_notices(learn: Callable[[], Learning], tmp_path: Path) -> None:
    where = str(tmp_path / "s")
    first, second = learn(), learn()
    one, other = (router(each, where) for each in (first, second))
    await first.start([one])
    await second.start([other])
    one.weights.pick("p")
    await send(first, one, feedback(1.0, 1))
    async with asyncio.timeout(10):
        while counted(other)[1][2:] != (1, 1.0) or sum(each.pulls for each in other.report()) != 1:
            await asyncio.sleep(0.02)


async def test_what_was_learned_is_there_again(learn: Callable[[], Learning], tmp_path: Path) -> None:
    where = str(tmp_path / "s")
    first = learn()
    made = router(first, where, kind="UCB1")
    await first.start([made])
    for number in range(6):
        await send(first, made, feedback(number / 10, made.weights.pick(f"p{number}"), f"p{number}"))
    await first.stop([made])
    first.close()
    second = learn()
    again = router(second, where, "b", "new", "a", kind="UCB1")
    await second.start([again])
    known = {each[0]: each[1:] for each in counted(made)}
    assert {each[0]: each[1:] for each in counted(again)} == {**known, "new": (0, 0, 0.0)}
    # The request of p0 took branch a, at position 0 then and 2 now.
    reward = again.reward(seldon.open_feedback(feedback(1.0, 0, "p0")))
    assert reward.branch == "a"


async def test_a_branch_that_has_gone_is_told(learn: Callable[[], Learning], tmp_path: Path) -> None:
    where = str(tmp_path / "s")
    learning = learn()
    made = router(learning, where, "a", "b")
    made.weights.set_chances([0.0, 1.0])
    made.weights.pick("p")
    left = router(learning, where, "a", "c")
    with pytest.raises(
        errors.RequestError, match="the branch that request p took is no longer there; branches are a, c"
    ):
        left.reward(seldon.open_feedback(feedback(1.0, 1, "p")))


async def test_many_rewards_share_few_commits(learn: Callable[[], Learning], tmp_path: Path) -> None:
    learning = learn()
    made = router(learning, str(tmp_path / "s"))
    await learning.start([made])
    assert learning._store is not None
    groups: list[int] = []
    add = learning._store.add

    def noted(rewards: Any, pulls: Any = ()) -> list[bool]:
        groups.append(len(rewards))
        return add(rewards, pulls)

    learning._store.add = noted  # type: ignore[method-assign]
    await asyncio.gather(*(send(learning, made, feedback(1.0, 0, f"p{number}")) for number in range(500)))
    assert sum(groups) == 500
    assert len([size for size in groups if size]) < 400
    assert counted(made)[0][2] == 500


async def test_a_caller_that_leaves_hurts_nobody(learn: Callable[[], Learning], tmp_path: Path) -> None:
    learning = learn()
    made = router(learning, str(tmp_path / "s"))
    await learning.start([made])
    tasks = [asyncio.create_task(send(learning, made, feedback(1.0, 0, f"p{number}"))) for number in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert not any(isinstance(each, BaseException) for each in done[1::2])
    assert 50 <= counted(made)[0][2] <= 100


async def test_a_place_that_cannot_be_opened_ends_the_start(learn: Callable[[], Learning], tmp_path: Path) -> None:
    (tmp_path / "s").write_text("no database at all, but long enough to be looked at" * 20)
    learning = learn()
    with pytest.raises(errors.StateError, match="file is not a database"):
        await learning.start([router(learning, str(tmp_path / "s"))])
    (tmp_path / "parent").write_text("")
    with pytest.raises(errors.StateError, match=r"state file .*parent/s: "):
        router(learn(), str(tmp_path / "parent" / "s"))


async def test_a_server_that_goes_away_and_comes_back(
    learn: Callable[[], Learning], caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with redis_server() as server:
        learning = learn()
        made = router(learning, server.url, epsilon=0.0)
        await learning.start([made])
        await send(learning, made, feedback(1.0, 1, "p"))
        server.kill()
        with pytest.raises(errors.StateError, match="state at redis"):
            await send(learning, made, feedback(1.0, 1, "q"))
        assert made.weights.pick() == 1  # requests go on by what was learned
        async with asyncio.timeout(20):
            while not any("learning waits: state at redis" in each for each in caplog.messages):
                await asyncio.sleep(0.02)
            server.start()
            while not any("can be reached again" in each for each in caplog.messages):
                await asyncio.sleep(0.02)
        await send(learning, made, feedback(0.0, 1, "q"))
        assert counted(made)[1] == ("b", 1, 2, 0.5)


async def test_replicas_learn_where_nothing_at_all_can_be_written(
    learn: Callable[[], Learning], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder can be here")
    monkeypatch.setenv("XDG_STATE_HOME", str(nowhere))
    with redis_server() as server:
        monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
        replicas = [learn(), learn()]
        one, other = (router(each, server.url, epsilon=0.0) for each in replicas)
        for learning, made in zip(replicas, (one, other), strict=True):
            await learning.start([made])
        assert one.weights.pick("p") == 0
        assert one.weights.recall("p") is not None
        await send(replicas[0], one, feedback(1.0, 1))
        async with asyncio.timeout(20):
            while other.weights.pick() != 1:
                await asyncio.sleep(0.02)


async def test_routers_of_one_process_are_told_apart(learn: Callable[[], Learning], tmp_path: Path) -> None:
    learning = learn()
    made = router(learning, str(tmp_path / "s"))
    assert made.key == "test/main/r"
    await learning.start([made])
    made.weights.pick("p")
    await learning.stop([made])
    learning.close()
    store = state.open_store(str(tmp_path / "s"))
    assert store.routers() == ["test/main/r"]
    assert sum(each.pulls for each in store.read("test/main/r").values()) == 1
    assert store.add([], [Pulls("x", "a", 1)]) == []
    store.close()


async def test_pulls_and_rewards_are_counted() -> None:
    with closing(Store()) as store:
        learning = Learning(Branches(store))
        made = router(learning, "memory", epsilon=0.2)
        await learning.start([made])
        for _ in range(5):
            made.weights.pick()
        await send(learning, made, feedback(1.0, 1, "p"))
        await send(learning, made, feedback(1.0, 1, "p"))
        learning.count()
        text = store.text()[1].decode()
        assert sum(samples(text, "millrace_router_pulls_total", model_name="r")) == 5
        assert samples(text, "millrace_router_rewards_total", model_name="r", branch="b") == [1]
        assert samples(text, "millrace_router_reward_mean", branch="b") == [1]
        assert sum(samples(text, "millrace_router_chance", model_name="r")) == pytest.approx(1)
        made.weights.pick()
        await learning.stop([made])
        learning.count()
        text = store.text()[1].decode()
        assert sum(samples(text, "millrace_router_pulls_total", model_name="r")) == 6
        assert samples(text, "millrace_router_chance", model_name="r") == [0, 0]
        learning.close()
