"""Owns whether the nodes of a graph are well, as probes ask: all nodes at once, bounded, for all who ask at a time.

Must not know how a node is reached: each brings a check of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from executor import errors
from executor.aside import Questions

log = logging.getLogger("millrace")

TIMEOUT_S = 60.0
"""How long one node may take to answer: as long as the probes that an operator sets wait."""

Check = Callable[[], Awaitable[object]]
"""Returns when the node is well; raises when it is not."""


class GraphHealth:
    """The health of a graph: `look` asks the nodes by their `checks`, or waits with those who are asking."""

    def __init__(self, checks: Mapping[str, Check], timeout_s: float = TIMEOUT_S) -> None:
        self._checks = checks
        self._timeout_s = timeout_s
        self._questions = Questions()
        self._known: Mapping[str, str] = {}

    @property
    def names(self) -> frozenset[str]:
        """The nodes that are asked."""
        return frozenset(self._checks)

    async def look(self) -> Mapping[str, str]:
        """What is wrong, by node, in the order of the checks; empty when all are well."""
        return await self._questions.once("nodes", self._ask)

    async def close(self) -> None:
        """Asks no more."""
        await self._questions.close()

    async def _ask(self) -> Mapping[str, str]:
        found = await asyncio.gather(*map(self._problem, self._checks.values()))
        problems = {name: problem for name, problem in zip(self._checks, found, strict=True) if problem is not None}
        self._tell(problems)
        return problems

    async def _problem(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await check()
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except errors.Error as error:
            return error.message
        except OSError as error:
            return error.strerror or str(error)
        except Exception as error:  # a host name that no resolver takes, for one
            return f"{type(error).__name__}: {error}"
        return None

    def _tell(self, problems: Mapping[str, str]) -> None:
        """Logs what has changed: probes come every few seconds."""
        for name, problem in problems.items():
            if name not in self._known:
                log.warning("not ready: node '%s': %s", name, problem)
        for name in self._known:
            if name not in problems:
                log.info("node '%s' is well again", name)
        self._known = problems
