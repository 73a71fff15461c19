"""Owns the operator as a program: connect, read the configuration, lead, run, stop. Must not read a command line.

Exit status: 0 when asked to stop, 1 when the lead was lost or something broke, so that it is started again.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

from executor.errors import ManifestError, Problem
from operator_lite import config, webhook
from operator_lite.api import Api
from operator_lite.config import Config
from operator_lite.controller import RESYNC_S, WORKERS, Controller
from operator_lite.election import Election, Terms
from operator_lite.health import Pages
from operator_lite.kinds import CONFIG_MAP
from operator_lite.live import Live
from operator_lite.metrics import Metrics
from operator_lite.preview import Preview
from operator_lite.reconcile import SETTLE_S

log = logging.getLogger(__name__)

WITHIN = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
CHECK_S = 1.0
FINISH_S, LOST_S = 20.0, 1.0
"""How long looks that have begun are waited for: when asked to stop, and when another may lead soon."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    namespace: str = ""
    """The one to take care of; all if empty."""
    own_namespace: str = ""
    """Where the Lease and the config map are; found out if empty."""
    kubeconfig: str = ""
    context: str = ""
    config_map: str = "millrace-config"
    lease: str = "millrace-operator"
    elects: bool = True
    terms: Terms = field(default_factory=Terms)
    workers: int = WORKERS
    resync_s: float = RESYNC_S
    settle_s: float = SETTLE_S
    pages: tuple[str, int] | None = ("0.0.0.0", 8080)
    """Where metrics and health are served."""
    webhook: Mapping[str, str | int] | None = None
    """What is said of the admission webhook, if there is one."""


def preview(options: Options, environment: Mapping[str, str], out: TextIO = sys.stdout) -> int:
    """Prints what would change; the exit status is 1 if something is wrong."""
    api = Api.connect(options.kubeconfig, options.context)
    found = Preview(api, reader(api, options, environment)(), options.namespace)
    for line in found.lines():
        print(line, file=out)
    return 1 if found.counts.problems else 0


def run(options: Options, environment: Mapping[str, str]) -> int:
    """Runs until a signal comes, or the lead is lost; the exit status."""
    metrics = Metrics()
    api = Api.connect(options.kubeconfig, options.context, lambda verb, code, _: metrics.requests.add(verb, str(code)))
    live = Live(reader(api, options, environment))
    settings = live.config
    name = environment.get("POD_NAME") or socket.gethostname()
    lease = options.lease + (f"-{settings.controller_id}" if settings.controller_id else "")
    own = own_namespace(options, environment)
    election = None
    if options.elects:
        quick = Api.connect(options.kubeconfig, options.context, timeout_s=options.terms.request_s)
        election = Election(quick, own, lease, f"{name}_{uuid.uuid4().hex[:8]}", options.terms)
    controller = Controller(
        api, settings, metrics, options.namespace, options.workers, options.resync_s, options.settle_s
    )
    metrics.gauge("leader", "Whether this one leads.", lambda: {(): float(election is None or election.leads)})
    metrics.gauge("config_refused", "Whether what is written is wrong.", lambda: {(): float(bool(live.refused))})
    where = f"namespace {options.namespace}" if options.namespace else "all namespaces"
    log.info("operator for %s of %s", where, api.host)
    hook = webhook.settings(options.webhook, own)
    with (
        _stopped_by_signals() as stop,
        _served(options, controller, election, metrics),
        webhook.served(hook, api, lambda: live.config),
        live.followed(controller.use),
    ):
        return lead(controller, election, stop)


def lead(controller: Controller, election: Election | None, stop: threading.Event) -> int:
    """Runs the controller while this one leads; the exit status."""
    if election is not None and not election.win(stop):
        return 0
    controller.start()
    kept = False
    try:
        kept = _kept(controller, stop) if election is None else election.hold(stop)
        return 0 if kept else 1
    finally:
        controller.stop(FINISH_S if kept else LOST_S)
        if election is not None:
            election.resign()
        log.info("stopped")


def _kept(controller: Controller, stop: threading.Event) -> bool:
    while not stop.wait(CHECK_S):
        if not controller.is_alive:
            return False
    return True


def reader(api: Api, options: Options, environment: Mapping[str, str]) -> Callable[[], Config]:
    """What reads environment and config map. It raises `ManifestError`, also when there is no map any more: nobody
    has said that defaults should hold then. It raises `ApiError` if the map cannot be read.
    """
    place = own_namespace(options, environment), options.config_map
    known = False

    def read() -> Config:
        nonlocal known
        found = api.get(CONFIG_MAP, *place) if options.config_map else None
        if found is None and known:
            raise ManifestError([Problem(f"ConfigMap {'/'.join(place)}", "is not there any more")])
        known = found is not None
        return config.read(environment, (found or {}).get("data") or {})

    return read


def own_namespace(options: Options, environment: Mapping[str, str]) -> str:
    """The namespace that this process is in."""
    named = options.own_namespace or environment.get("POD_NAMESPACE", "")
    if named:
        return named
    return WITHIN.read_text().strip() if WITHIN.is_file() else "default"


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second one ends the process at once."""
    stop = threading.Event()

    def came(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, came) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _served(
    options: Options, controller: Controller, election: Election | None, metrics: Metrics
) -> Iterator[Pages | None]:
    """The pages for probes and Prometheus. One that waits for the lead is ready: it has nothing to do."""
    if options.pages is None:
        yield None
        return

    def ready() -> tuple[int, str]:
        waits = election is not None and not election.leads
        return (200, "ok\n") if waits or controller.is_ready else (503, "it is not known yet what there is\n")

    def alive() -> tuple[int, str]:
        return (200, "ok\n") if controller.is_alive else (503, "a thread has ended\n")

    pages = Pages(
        *options.pages, {"/metrics": lambda: (200, metrics.text()), "/healthz": alive, "/readyz": ready}
    )  # fmt: skip
    pages.start()
    log.info("metrics and health on port %d", pages.port)
    try:
        yield pages
    finally:
        pages.stop()
