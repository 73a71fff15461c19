"""Owns learning routers at work: rewards in, commits, weight tables out. One thread of the process does all of it.

Must not know how a router learns (`executor.graph.learners`), nor how sums are kept (`executor.state`).

A reward is acknowledged when it is committed. Rewards that wait at the same time share a commit. What other processes
have committed is looked for every POLL_S, and then the tables of this one change too. Pulls are counted natively and
written along with rewards, at the latest after POLL_S; those of the last moment are lost with the process.
"""

import asyncio
import contextlib
import logging
import mmap
import os
import queue
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from executor import errors, state
from executor._native import exits, weights
from executor._native import message as messages
from executor.component.codecs import CODECS
from executor.graph import plan as plans
from executor.graph.bandits import Bandit
from executor.graph.learners import Scores, State
from executor.telemetry.branches import Branches
from executor.types import Encoding, Method, Mode

log = logging.getLogger("millrace")

POLL_S = 0.25
"""How often other processes' events are looked for."""
GROUP_MAX = 1000
"""Rewards in one commit."""
PICKS_REMEMBERED = 1 << 18
"""Slots for the last picks of a router; their memory, 6 MiB, is only touched as they come."""
SLOT_BYTES = 24
_EMPTY = {Encoding.SELDON_PROTO: b"", Encoding.SELDON_JSON: b"{}"}


@dataclass(frozen=True, slots=True)
class BranchReport:
    """One branch of a router, for readers."""

    name: str
    label: str
    """Its name by `branch_names`."""
    pulls: int
    rewards: int
    mean: float
    chance: float
    """To get the next request, as far as that is known before it comes."""


class Router:
    """One learning router of one plan. `branches` are its children's names."""

    def __init__(self, node: str, key: str, branches: Sequence[str], bandit: Bandit, memory: mmap.mmap | None) -> None:
        self.node = node
        self.key = key
        self.branches = tuple(branches)
        self.bandit = bandit
        self.weights = weights.Weights(self.branches, bandit.seed, memory)
        self._marks = {weights.mark(name): place for place, name in enumerate(self.branches)}
        self._written = [0] * len(self.branches)
        self._told = [0] * len(self.branches)
        self._state: State = (state.Branch(),) * len(self.branches)
        self._chances = (1.0 / len(self.branches),) * len(self.branches)

    def report(self) -> list[BranchReport]:
        """What is known of each branch, with this process' pulls up to now."""
        names = zip(self.branches, self.bandit.labels, strict=True)
        known = zip(names, self._state, self._unwritten(), self._chances, strict=True)
        return [
            BranchReport(name, label, each.pulls + pulls, each.rewards, each.mean, chance)
            for (name, label), each, pulls, chance in known
        ]

    def untold(self) -> list[tuple[str, int]]:
        """Pulls of each branch since this was last asked."""
        pulls = list(self.weights.pulls)
        before, self._told = self._told, pulls
        return [(name, now - then) for name, now, then in zip(self.branches, pulls, before, strict=True)]

    def pulls(self) -> list[state.Pulls]:
        """The pulls that are not written yet."""
        found = zip(self.branches, self._unwritten(), strict=True)
        return [state.Pulls(self.key, name, count) for name, count in found if count]

    def wrote(self, pulls: Sequence[state.Pulls]) -> None:
        """These pulls are written."""
        for each in pulls:
            if each.router == self.key:
                self._written[self.branches.index(each.branch)] += each.count

    def learn(self, known: Mapping[str, state.Branch]) -> None:
        """Goes on from these sums: the next requests are picked by them."""
        self._state = tuple(known.get(name, state.Branch()) for name in self.branches)
        learner = self.bandit.learner
        table = learner.table(self._state)
        if isinstance(table, Scores):
            # Those that are written and counted here alike must not count twice.
            base = [each.pulls - own for each, own in zip(self._state, self._written, strict=True)]
            self.weights.set_scores(table.means, [max(each, 0) for each in base], table.rate)
            self._chances = learner.chances(self._state)
        else:
            self.weights.set_chances(table)
            self._chances = table

    def reward(self, feedback: Any) -> state.Reward:
        """The event that a feedback message is. Raises RequestError where it does not fit this router."""
        parts, reward = feedback.response, float(feedback.reward)
        least, greatest = self.bandit.learner.rewards
        if not (least <= reward <= greatest and abs(reward) < float("inf")):  # NaN too
            allowed = f"from {least:g} to {greatest:g}" if abs(least) < float("inf") else "finite"
            raise self._refusal(f"reward must be {allowed}, not {reward:g}")
        said = parts.meta if parts is not None else {}
        puid = str(said.get("puid") or "")
        place, chance = self._branch(said.get("routing") or {}, puid)
        gain = self.bandit.learner.gain(reward, chance)
        return state.Reward(self.key, self.branches[place], reward, gain, puid)

    def _branch(self, routing: Mapping[str, Any], puid: str) -> tuple[int, float]:
        """The branch that the request took, and the chance that it had."""
        if self.node not in routing:
            named = ", ".join(routing) or "nothing"
            raise self._refusal(f"response.meta.routing does not say which branch was taken; it names {named}")
        route = _whole(routing[self.node])
        recalled = self.weights.recall(puid)
        if recalled is not None and recalled[1] == route:
            mark, _, chance = recalled
            if mark not in self._marks:
                raise self._refusal(f"the branch that request {puid} took is no longer there; {self._named}")
            return self._marks[mark], chance
        if route is None or not 0 <= route < len(self.branches):
            told = f"is {routing[self.node]}; allowed are 0 to {len(self.branches) - 1}"
            raise self._refusal(f"response.meta.routing {told}; {self._named}")
        return route, self._chances[route]

    @property
    def _named(self) -> str:
        return f"branches are {', '.join(self.branches)}"

    def _unwritten(self) -> list[int]:
        return [counted - written for counted, written in zip(self.weights.pulls, self._written, strict=True)]

    def _refusal(self, message: str) -> errors.RequestError:
        return errors.RequestError(f"node '{self.node}': {message}", node=self.node)


@dataclass(slots=True)
class _Job:
    """Something for the thread to do: a reward, or a function."""

    reward: state.Reward | None = None
    work: Callable[[], None] | None = None
    done: Future[bool] = field(default_factory=Future)


class Learning:
    """The learning routers of a process, and the thread that works for them. It has none until one comes."""

    def __init__(self, counted: Branches | None = None) -> None:
        self.where = ""
        """The place where all is kept; empty before the first router comes."""
        self._counted = counted
        self._store: state.Store | None = None
        self._routers: list[Router] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failing = False
        self._looked = 0.0

    def router(self, node: plans.PlanNode, plan: plans.Plan, where: str | None) -> Router:
        """The router of a learning node; its pulls count, but it knows nothing before `start`."""
        assert node.bandit is not None
        if not self.where:
            self.where = where or state.default_place(plan.deployment, plan.name)
        key = "/".join((plan.deployment, plan.name, node.name))
        names = [plan.nodes[child].name for child in node.children]
        return Router(node.name, key, names, node.bandit, _memory(self.where, key))

    async def start(self, routers: Sequence[Router]) -> None:
        """From here on these learn, from what is known already. Raises StateError."""
        if not routers:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="learning", daemon=True)
            self._thread.start()
        await self._do(lambda: self._begin(routers))

    async def stop(self, routers: Sequence[Router]) -> None:
        """These learn no more; their pulls are written."""
        if self._thread is not None and routers:
            await self._do(lambda: self._end(routers))
            self._count(routers)

    def count(self) -> None:
        """Has counted what is known of the branches now."""
        routers = list(self._routers)
        self._count(routers)
        if self._counted is not None and self.where:
            self._counted.known({each.node: each.report() for each in routers})

    def _count(self, routers: Sequence[Router]) -> None:
        if self._counted is not None:
            for router in routers:
                for branch, pulls in router.untold():
                    self._counted.pulled(router.node, branch, pulls)

    def close(self) -> None:
        """Ends the thread, after all that was asked of it."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def handlers(self, router: Router) -> dict[Method, tuple[Mode, Any]]:
        """What the router's node does when it is called: it takes feedback."""

        async def send_feedback(message: messages.Message, context: exits.Context) -> messages.Message:
            parts: Any = CODECS[message.encoding].open_feedback(message)
            reward = router.reward(parts)
            counted = await self._put(_Job(reward))
            if counted and self._counted is not None:
                self._counted.rewarded(router.node, reward.branch)
            if router.bandit.verbose:
                label = router.bandit.labels[router.branches.index(reward.branch)]
                said = "" if counted else ", for a request that had one: not counted"
                log.info("node '%s': reward %g for %s%s", router.node, reward.reward, label, said)
            return messages.Message(_EMPTY[Encoding(message.encoding)], message.encoding)

        return {Method.SEND_FEEDBACK: (Mode.ASYNC, send_feedback)}

    # --- the thread -------------------------------------------------------------------------------------------

    async def _do(self, work: Callable[[], None]) -> None:
        await self._put(_Job(work=work))

    async def _put(self, job: _Job) -> bool:
        self._jobs.put(job)
        return await asyncio.wrap_future(job.done)

    def _run(self) -> None:
        going = True
        while going:
            jobs, going = self._take()
            rewards = [job for job in jobs if job.work is None]
            if rewards:
                self._commit(rewards)
            if time.monotonic() >= self._looked + POLL_S:
                self._look()
                self._looked = time.monotonic()
            for job in jobs:
                if job.work is not None:
                    _settle(job, job.work)
        if self._store is not None:
            with contextlib.suppress(errors.StateError):
                self._store.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """What waits, at most a group of it; nothing after POLL_S without anything. False at the end."""
        jobs: list[_Job] = []
        try:
            while len(jobs) < GROUP_MAX:
                job = self._jobs.get(timeout=POLL_S) if not jobs else self._jobs.get_nowait()
                if job is None:
                    return jobs, False
                if job.done.set_running_or_notify_cancel():  # a request that is over by now asks for nothing
                    jobs.append(job)
        except queue.Empty:
            pass
        return jobs, True

    def _begin(self, routers: Sequence[Router]) -> None:
        if self._store is None:
            self._store = state.open_store(self.where)
        for each in routers:
            each.learn(self._store.read(each.key))
        self._routers.extend(routers)

    def _end(self, routers: Sequence[Router]) -> None:
        going = [each for each in routers if each in self._routers]  # none of those that never began
        try:
            if going:
                self._write([], going)
        finally:
            self._routers = [each for each in self._routers if each not in routers]

    def _commit(self, jobs: list[_Job]) -> None:
        keys = {job.reward.router for job in jobs if job.reward is not None}
        touched = [each for each in self._routers if each.key in keys]
        try:
            counted = self._write([job.reward for job in jobs if job.reward is not None], touched)
        except Exception as error:
            for job in jobs:
                job.done.set_exception(error)
            return
        try:
            self._learn(touched)
        except Exception as error:
            self._tell(error)
        for job, said in zip(jobs, counted, strict=True):
            job.done.set_result(said)

    def _look(self) -> None:
        """Writes pulls that wait, and learns what others have written."""
        if not self._routers:
            return
        try:
            self._write([], self._routers)
            if self._store is not None and (self._store.changed() or self._failing):
                self._learn(self._routers)
            if self._failing:
                log.warning("%s can be reached again", state.told(self.where))
            self._failing = False
        except Exception as error:
            self._tell(error)

    def _write(self, rewards: list[state.Reward], routers: Sequence[Router]) -> list[bool]:
        assert self._store is not None
        pulls = [(each, each.pulls()) for each in routers]
        counted = self._store.add(rewards, [pull for _, some in pulls for pull in some])
        for each, some in pulls:
            each.wrote(some)
        return counted

    def _learn(self, routers: Sequence[Router]) -> None:
        assert self._store is not None
        for each in routers:
            each.learn(self._store.read(each.key))

    def _tell(self, error: Exception) -> None:
        if not self._failing:
            unforeseen = None if isinstance(error, errors.StateError) else error
            log.error("learning waits: %s", error, exc_info=unforeseen)
        self._failing = True


def _whole(said: Any) -> int | None:
    """A whole number as protobuf's JSON form allows it: 1, 1.0 or "1"; None for anything else."""
    if isinstance(said, bool):
        return None
    try:
        return int(said) if float(said) == int(float(said)) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _settle(job: _Job, work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:
        job.done.set_exception(error)
    else:
        job.done.set_result(True)


def _memory(where: str, key: str) -> mmap.mmap:
    """Where the last picks of a router are remembered: beside the state's file, for the processes that share it."""
    size = PICKS_REMEMBERED * SLOT_BYTES
    if where == state.MEMORY:
        return mmap.mmap(-1, size)
    name = f"pulls-{zlib.crc32(f'{where} {key}'.encode()):08x}"
    local = not where.startswith(state.REDIS_SCHEMES)
    path = f"{where}-{name}" if local else os.path.join(os.path.dirname(state.default_place("", "")), name)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
            if os.fstat(file.fileno()).st_size < size:
                file.truncate(size)
            return mmap.mmap(file.fileno(), size)
    except OSError as cause:
        if local:
            raise errors.StateError(f"state file {where}: {cause.strerror}; --state names another place") from cause
        return mmap.mmap(-1, size)  # a root that cannot be written: each process remembers its own
