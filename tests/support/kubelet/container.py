"""Owns one container's life: started, probed, restarted with back-off, ended with its hook, signal and grace.

Must not know the pod's other containers. The kubelet's haste divides the times of readiness and back-off, never of
what could end a container sooner than its manifest says.
"""

import datetime
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from support.kubelet.probes import Prober, Target, ask
from support.kubelet.sandbox import Recipe, Running

BACK_OFF_S = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
CALM_S = 600.0
State = dict[str, Any]


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _waiting(reason: str, message: str = "") -> State:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


class Container:
    """One container of a pod."""

    def __init__(self, given: Mapping[str, Any], grace_s: float, haste: float, changed: Callable[[], None]) -> None:
        self.given = given
        self._grace_s = grace_s
        self.name = str(given["name"])
        self.restarts = 0
        self.ready = False
        self.started = False
        self.exit_code: int | None = None
        self.state = _waiting("ContainerCreating")
        self._last: State = {}
        self._haste = haste
        self._changed = changed
        self._running: Running | None = None
        self._probers: list[Prober] = []
        self._due = 0.0
        self._begun = 0.0
        self._unwell = threading.Event()

    @property
    def is_running(self) -> bool:
        return self._running is not None

    @property
    def may_start(self) -> bool:
        """Whether its back-off is over."""
        return self._running is None and time.monotonic() >= self._due

    def wait(self, reason: str, message: str = "") -> None:
        """Says why it does not run yet; it is tried again."""
        self.state = _waiting(reason, message)
        self._due = time.monotonic() + 1.0 / self._haste
        self._changed()

    def start(self, recipe: Recipe, host: str) -> None:
        """Starts it."""
        self._unwell.clear()
        self.exit_code = None
        self._begun = time.monotonic()
        self._running = running = Running(recipe)
        self.state = {"running": {"startedAt": now()}}
        self._target = Target(host, self.given, running.run)
        if "startupProbe" in self.given:
            self._probe("startupProbe", self._has_started)
        else:
            self._has_started(True)
        self._changed()

    def look(self, again: Callable[[int], bool]) -> None:
        """Takes note of its end. `again` says of an exit status whether it is started again after that."""
        if self._running is None:
            return
        if self._unwell.is_set():
            self.stop(self._patience())
        else:
            code = self._running.ended()
            if code is not None:
                self._note_end(code)
        if self._running is None and again(self.exit_code or 0):
            self._back_off()

    def stop(self, grace_s: float) -> None:
        """Ends it: its hook, SIGTERM, and SIGKILL when the time is over."""
        running = self._running
        if running is None:
            return
        due = time.monotonic() + grace_s
        hook = self.given.get("lifecycle", {}).get("preStop")
        if hook and grace_s > 0:
            self._run_hook(hook, grace_s)
        if grace_s > 0:
            running.signal(signal.SIGTERM)
        while running.ended() is None and time.monotonic() < due:
            time.sleep(0.02)
        if running.ended() is None:
            running.kill()
        self._note_end(running.ended() or 0)

    def status(self, image: str) -> State:
        """As the pod's status shows it."""
        return {
            "name": self.name, "image": image, "imageID": f"docker-pullable://{image}", "restartCount": self.restarts,
            "ready": self.ready, "started": self.started, "state": self.state, "lastState": self._last,
            **({"containerID": f"test://{id(self._running)}"} if self._running else {}),
        }  # fmt: skip

    def _patience(self) -> float:
        """How long it is given to end when a probe wants that."""
        probe = self.given.get("livenessProbe" if self.started else "startupProbe", {})
        return float(probe.get("terminationGracePeriodSeconds", self._grace_s))

    def _run_hook(self, hook: Mapping[str, Any], grace_s: float) -> None:
        if "sleep" in hook:
            time.sleep(min(float(hook["sleep"]["seconds"]), grace_s))
        else:
            ask({**hook, "timeoutSeconds": grace_s}, self._target)

    def _probe(self, kind: str, believe: Callable[[bool], None]) -> None:
        probe, haste = self.given[kind], self._haste
        if kind == "startupProbe":  # asked more often, for as long as it says
            probe = {**probe, "failureThreshold": int(probe.get("failureThreshold", 3) * haste)}
        elif kind == "livenessProbe":  # a busy machine is no reason to end anything sooner than it says
            haste = 1.0
        self._probers.append(Prober(probe, self._target, haste, believe))

    def _has_started(self, well: bool) -> None:
        if self.started:
            return
        if not well:
            self._unwell.set()
            return
        self.started = True
        for prober in self._probers:  # the startup probe has said what it can
            prober.stop()
        if "readinessProbe" in self.given:
            self._probe("readinessProbe", self._is_ready)
        else:
            self.ready = True
        if "livenessProbe" in self.given:
            self._probe("livenessProbe", lambda well: None if well else self._unwell.set())
        self._changed()

    def _is_ready(self, well: bool) -> None:
        if well != self.ready:
            self.ready = well
            self._changed()

    def _note_end(self, code: int) -> None:
        for prober in self._probers:
            prober.stop()
        self._probers.clear()
        began = self.state.get("running", {}).get("startedAt", now())
        reason = "Completed" if code == 0 else "Error"
        self.state = {"terminated": {"exitCode": code, "reason": reason, "startedAt": began, "finishedAt": now()}}
        self._running, self.ready, self.started, self.exit_code = None, False, False, code
        self._changed()

    def _back_off(self) -> None:
        self._last = self.state
        if time.monotonic() - self._begun > CALM_S / self._haste:
            self.restarts = 0
        pause = 0.0 if self.restarts == 0 else BACK_OFF_S[min(self.restarts, len(BACK_OFF_S)) - 1] / self._haste
        self.restarts += 1
        self._due = time.monotonic() + pause
        if pause:
            self.state = _waiting("CrashLoopBackOff", f"back-off {pause:g}s restarting failed container={self.name}")
        self._changed()
