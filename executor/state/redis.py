"""Owns the place that replicas share: a Redis server, reached through redis-py.

Must not load redis-py before it is asked for: it is an optional extra.

How long an acknowledged reward lasts is the server's business: `appendonly yes` with `appendfsync always` is as good as
a file. Each call carries an id, so that one sent again after a lost connection is not counted again.
"""

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from executor import errors
from executor.state import WINDOW, Branch, Pulls, Reward, puid_key, told

TIMEOUT_S = 5.0
RETRIES = 3
ANSWERS_KEPT_S = 60
PREFIX = "millrace:"

# KEYS: sums, seen puids, their number, the answer of this call. ARGV: window, seconds that the answer is kept, number
# of pulls, then (branch, count) of each, then (branch, reward, gain, puid) of each reward. Answers a digit for each.
_ADD = """
local done = redis.call('GET', KEYS[4])
if done then return done end
local at = 4
for _ = 1, tonumber(ARGV[3]) do
    redis.call('HINCRBY', KEYS[1], 'pulls:' .. ARGV[at], ARGV[at + 1])
    at = at + 2
end
local said = {}
while at < #ARGV do
    local counted = '1'
    if ARGV[at + 3] ~= '' then
        local number = redis.call('INCR', KEYS[3])
        if redis.call('ZADD', KEYS[2], 'NX', number, ARGV[at + 3]) == 0 then counted = '0' end
    end
    if counted == '1' then
        redis.call('HINCRBY', KEYS[1], 'rewards:' .. ARGV[at], 1)
        redis.call('HINCRBYFLOAT', KEYS[1], 'total:' .. ARGV[at], ARGV[at + 1])
        redis.call('HINCRBYFLOAT', KEYS[1], 'gain:' .. ARGV[at], ARGV[at + 2])
    end
    said[#said + 1] = counted
    at = at + 4
end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[1]) - 1)
local answer = table.concat(said)
redis.call('SET', KEYS[4], answer, 'EX', ARGV[2])
return answer
"""


class RedisStore:
    """The server at `url`. Routers of all deployments may share it: their keys tell them apart."""

    def __init__(self, url: str, window: int = WINDOW) -> None:
        try:
            import redis
            from redis.backoff import ExponentialBackoff
            from redis.retry import Retry
        except ImportError:
            message = f"--state {told(url)}: needs the package redis: pip install redis"
            raise errors.StateError(message) from None
        self._where = told(url)
        self._window = window
        self._errors = (redis.RedisError, OSError)
        with self._told():
            try:
                self._client: Any = redis.Redis.from_url(
                    url.replace("redis+unix://", "unix://", 1),
                    socket_timeout=TIMEOUT_S,
                    socket_connect_timeout=TIMEOUT_S,
                    retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), RETRIES),
                    decode_responses=True,
                )
            except ValueError as cause:
                raise errors.StateError(f"--state {self._where}: {cause}") from None
            self._client.ping()
            self._add = self._client.register_script(_ADD)

    def add(self, rewards: Sequence[Reward], pulls: Sequence[Pulls] = ()) -> list[bool]:
        """As `Store.add`: one script for each router."""
        counted: dict[int, bool] = {}
        for router in dict.fromkeys([*(each.router for each in rewards), *(each.router for each in pulls)]):
            places = [place for place, each in enumerate(rewards) if each.router == router]
            own = [each for each in pulls if each.router == router]
            said = self._call(router, [rewards[place] for place in places], own)
            counted |= {place: digit == "1" for place, digit in zip(places, said, strict=True)}
        return [counted[place] for place in range(len(rewards))]

    def read(self, router: str) -> dict[str, Branch]:
        """As `Store.read`."""
        with self._told():
            found = self._client.hgetall(_key(router, "sums"))
        names = dict.fromkeys(field.partition(":")[2] for field in found)
        return {
            name: Branch(
                *(int(found.get(f"{what}:{name}", 0)) for what in ("pulls", "rewards")),
                *(float(found.get(f"{what}:{name}", 0.0)) for what in ("total", "gain")),
            )
            for name in names
        }

    def changed(self) -> bool:
        """Always: reading costs as little as asking would."""
        return True

    def routers(self) -> list[str]:
        """As `Store.routers`."""
        with self._told():
            found = self._client.scan_iter(f"{PREFIX}*:sums", count=1000)
            return sorted(key.removeprefix(PREFIX + "{").removesuffix("}:sums") for key in found)

    def close(self) -> None:
        """As `Store.close`."""
        with self._told():
            self._client.close()

    def _call(self, router: str, rewards: Sequence[Reward], pulls: Sequence[Pulls]) -> str:
        arguments: list[str | int] = [self._window, ANSWERS_KEPT_S, len(pulls)]
        for pull in pulls:
            arguments += (pull.branch, pull.count)
        for each in rewards:
            arguments += (each.branch, repr(each.reward), repr(each.gain), puid_key(each.puid))
        keys = [_key(router, what) for what in ("sums", "seen", "last", f"call:{uuid.uuid4()}")]
        with self._told():
            return str(self._add(keys=keys, args=arguments))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._errors as cause:
            raise errors.StateError(f"state at {self._where}: {cause}") from cause


def _key(router: str, what: str) -> str:
    """A key; the braces keep all keys of a router on one server of a cluster."""
    return f"{PREFIX}{{{router}}}:{what}"
