"""The server of `redis`: one that dies and comes back, calls that are sent twice, and a package that is missing."""

import subprocess
import sys
from typing import Any

import pytest
from support.redis_server import redis_server

from executor import errors
from executor.state import Branch, Pulls, Reward
from executor.state.redis import RedisStore


def test_acknowledged_rewards_survive_the_servers_death() -> None:
    with redis_server() as server:
        store = RedisStore(server.url)
        for number in range(50):
            assert store.add([Reward("r", "a", 1.0, puid=f"{number}")], [Pulls("r", "a", 1)]) == [True]
        server.kill()
        with pytest.raises(errors.StateError, match=r"state at redis\+unix://.*: "):
            store.read("r")
        server.start()
        assert store.read("r") == {"a": Branch(50, 50, 50.0)}
        assert store.add([Reward("r", "a", 1.0, puid="7")]) == [False]
        store.close()


def test_a_call_that_is_sent_again_is_not_counted_again() -> None:
    with redis_server() as server:
        store = RedisStore(server.url)
        script = store._add
        sent: list[Any] = []

        def lossy(**call: Any) -> Any:
            """Sends each call twice, as a client does that lost the first answer."""
            sent.append(script(**call))
            sent.append(script(**call))
            return sent[-1]

        store._add = lossy  # type: ignore[assignment]
        assert store.add([Reward("r", "a", 1.0), Reward("r", "b", 0.5)], [Pulls("r", "a", 2)]) == [True, True]
        assert sent == ["11", "11"]
        assert store.read("r") == {"a": Branch(2, 1, 1.0), "b": Branch(0, 1, 0.5)}
        store.close()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://user:secret@127.0.0.1:1/0", "state at redis://127.0.0.1:1/0: .*refused"),
        ("redis://127.0.0.1:port/0", "--state redis://127.0.0.1:port/0: "),
    ],
)
def test_a_server_that_is_not_there_is_told(url: str, told: str) -> None:
    with pytest.raises(errors.StateError, match=told) as caught:
        RedisStore(url)
    assert "secret" not in caught.value.message


def test_a_missing_package_is_told_with_what_to_install() -> None:
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from executor import errors, state\n"
        "try: state.open_store('redis://localhost')\n"
        "except errors.StateError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "--state redis://localhost: needs the package redis: pip install redis\n"


def test_redis_is_loaded_only_where_it_is_used() -> None:
    code = "import sys; from executor import app, cli; print('redis' in sys.modules, 'sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
