"""Owns child processes: starting them, noticing that they died, starting them again with back-off, stopping them.

Must not know what the children do, nor speak to them but by signals.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger("millrace")

BACKOFF_FIRST_S = 0.2
BACKOFF_LAST_S = 10.0
STEADY_S = 30.0
"""A child that ran this long is not in a crash loop: its next start does not wait long."""
STOP_S = 5.0
STDERR = 2
_PR_SET_PDEATHSIG = 1


def python(module: str, *arguments: str) -> list[str]:
    """The command of a process that runs a module, and finds the modules that this process finds."""
    safe = [] if {"", os.getcwd()} & set(sys.path) else ["-P"]  # the working directory is among them or not
    return [sys.executable, *safe, "-m", module, *arguments]


class Child:
    """A process: started by `start`, kept running from `keep` to `stop`. `environment` is all of its environment;
    None is ours. `kind` says in messages what `name` is the name of. `link` is asked before each start for the socket
    that becomes the process's standard input; `fds` are file descriptors that it gets as they are.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        kind: str = "node",
        link: Callable[[], socket.socket] | None = None,
        fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._what = f"process of {kind} '{name}'"
        self._link = link
        self._fds = tuple(fds)
        self.restarts = 0
        self._command = command
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs now; None between two."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Starts the process. Raises OSError when it cannot be started."""
        await self._spawn()

    def keep(self) -> None:
        """From now on it is started again when it ends. For a child that is up: one that never came up stays down."""
        assert self._process is not None
        self._watch = asyncio.create_task(self._keep(self._process))

    @property
    def ended(self) -> str | None:
        """How it ended, in words; None while it runs."""
        code = self._process.returncode if self._process is not None else None
        return None if code is None else _told(code)

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.returncode if self._process is not None else None

    def kill(self) -> None:
        """SIGKILL; whether it is started again is as before."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)

    async def stop(self, timeout_s: float = STOP_S, ask: Callable[[], None] | None = None) -> None:
        """Asks it to end, with SIGTERM if `ask` knows no better; SIGKILL when that has not ended it in time."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            (ask or process.terminate)()
            try:
                await asyncio.wait_for(process.wait(), timeout_s)
            except TimeoutError:
                log.warning("%s did not end within %g s and is killed", self._what, timeout_s)
                process.kill()
                await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl-C in a terminal goes to all processes there, and is the parent's to handle.
        link = self._link() if self._link is not None else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=link.fileno() if link is not None else asyncio.subprocess.DEVNULL,
                stdout=STDERR,  # ours says where to reach us, and belongs to whoever started us
                env=self._environment,
                start_new_session=True,
                pass_fds=self._fds,
                preexec_fn=_dies_with(os.getpid()),
            )
        finally:
            if link is not None:
                link.close()
        return self._process

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_FIRST_S
        while True:
            began = loop.time()
            told = f"ended with {_told(await process.wait())}"
            if loop.time() - began > STEADY_S:
                backoff_s = BACKOFF_FIRST_S
            while True:
                log.error("%s %s; starting it again in %.1f s", self._what, told, backoff_s)
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_LAST_S)
                self.restarts += 1
                try:
                    process = await self._spawn()
                    break
                except OSError as error:
                    told = f"cannot be started: {error}"


def _told(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


# Looked up here: between fork and exec, as little as possible may be done.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def _dies_with(parent: int) -> Callable[[], None]:
    """What runs in the child before exec, so that a parent that is killed leaves no orphan."""

    def prepare() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it went before it was asked about
                os._exit(1)

    return prepare
