"""Owns which nodes of a graph have their payloads logged, and the log of the process that they go to.

Must not see a payload: the tap hands them over, the log sends them.
"""

import logging
import ssl
import time
from collections.abc import Callable, Mapping

from executor import errors, manifest
from executor._native import message as messages
from executor._native import tap, transport
from executor.graph import plan as plans
from executor.rest import sinks, urls
from executor.settings import ALL_INTERFACES, Deployment, NodeTlsSettings, PayloadLogSettings, RunSettings
from executor.telemetry import families
from executor.telemetry.cloudevents import Event, Kind, Origin
from executor.telemetry.payload_log import PayloadLog
from executor.telemetry.store import Store
from executor.tls import NodeContexts, Source, node_source

log = logging.getLogger("millrace")

Take = Callable[[list[tuple[int, int, str, messages.Message]], int], None]
"""Takes what a tap hands over: number of the node, kind, puid and payload of each, and how many it lost."""

LOGGED = {
    "request": tap.REQUEST,
    "response": tap.RESPONSE | tap.FEEDBACK,
    "all": tap.REQUEST | tap.RESPONSE | tap.FEEDBACK,
}
"""What each mode of a logger means."""
_KINDS = {tap.REQUEST: Kind.REQUEST, tap.RESPONSE: Kind.RESPONSE, tap.FEEDBACK: Kind.FEEDBACK}


class Payloads:
    """The payload log of one process, made when a graph first asks for one. It outlives the graphs."""

    def __init__(self, reactor: transport.Reactor, node_tls: NodeTlsSettings | None = None) -> None:
        self._reactor = reactor
        self._tls_settings = node_tls or NodeTlsSettings()
        self._tls: Source[NodeContexts] | None = None
        self._sinks: sinks.Sinks | None = None
        self.log: PayloadLog | None = None

    def tap_for(self, plan: plans.Plan, selected: manifest.Selected, settings: RunSettings) -> tap.Tap | None:
        """What is to be logged of a plan; None: nothing. Raises `errors.RequestError` for a URL that is none, but where
        fronts have sides of their own: that is Seldon's executor, whose requests fail at such a node.
        """
        asked = settings.payload_log or PayloadLogSettings()
        source, deployment = _source(settings, asked), _deployment(selected, settings)
        origins: dict[int, Origin] = {}
        faults: dict[int, str] = {}
        for node in plan.nodes:
            url = _url(node, asked)
            if not url:
                continue
            try:
                sink = sinks.parse(url, f"node '{node.name}': {_what(node)}")
            except errors.RequestError as error:
                if not settings.by_front:
                    raise
                if fault := _fault(node, url, error):
                    faults[node.index] = fault
                continue
            if sink.address.scheme.is_tls:
                self._context()  # files that cannot be used are told now
            origins[node.index] = Origin(node.name, url, source=source, deployment=deployment)
        if not origins and not faults:
            return None
        if self.log is None:
            self._sinks = sinks.Sinks(asked.workers, self._context)
            self.log = PayloadLog(asked, self._sinks.post)
        bits = [_bits(node) if node.index in origins or node.index in faults else 0 for node in plan.nodes]
        return tap.Tap(self._reactor, bits, _taker(self.log, origins), 2 * asked.queue_max, asked.bytes_max, faults)

    def count(self, store: Store) -> None:
        """Tells how many were sent and lost, and how many wait."""
        if self.log is not None:
            store.grow(families.PAYLOADS, "sent", to=self.log.sent)
            store.grow(families.PAYLOADS, "lost", to=self.log.lost)
            store.set(families.PAYLOADS_WAITING, to=self.log.waiting)

    async def stop(self) -> None:
        """Sends what still waits, as far as there is time for it, and ends."""
        if self.log is not None and self._sinks is not None:
            await self.log.close()
            await self._sinks.close()

    def _context(self) -> ssl.SSLContext:
        """Sinks are trusted as nodes are."""
        if self._tls is None:
            self._tls = node_source(self._tls_settings)
        return self._tls.current.rest


def _url(node: plans.PlanNode, asked: PayloadLogSettings) -> str:
    """Where a node's payloads go; "": nowhere."""
    if node.logger is None:
        return ""
    url = node.logger.url or asked.default_url
    if not url:
        log.warning("node '%s': its payloads are not logged: neither its logger nor a default names a URL", node.name)
    return url


def _what(node: plans.PlanNode) -> str:
    return "logger.url" if node.logger is not None and node.logger.url else "the default URL of payload logs"


def _fault(node: plans.PlanNode, url: str, error: errors.RequestError) -> str:
    """Why requests fail at a node, as Seldon's executor has it: where its URL is none at all. They go on, unlogged,
    where it is one that nothing can be posted to.
    """
    fault = urls.fault(url)
    if not fault:
        log.error("%s; its payloads are not logged", error.message)
        return ""
    log.error("%s (%s); requests that reach the node fail", error.message, fault)
    return f"its payloads cannot be logged: {_what(node)} {url!r}: {fault}; {sinks.ALLOWED}"


def _bits(node: plans.PlanNode) -> int:
    return LOGGED[node.logger.mode] if node.logger is not None else 0


def _taker(payload_log: PayloadLog, origins: Mapping[int, Origin]) -> Take:
    def take(batch: list[tuple[int, int, str, messages.Message]], lost: int) -> None:
        now = time.time()
        for node, kind, puid, message in batch:
            payload_log.put(Event(origins[node], _KINDS[kind], puid, message, now))
        if lost:
            payload_log.lose(lost, "too many at once")

    return take


def _deployment(selected: manifest.Selected, settings: RunSettings) -> Deployment:
    if settings.deployment is not None:
        return settings.deployment
    return Deployment(selected.deployment.name, selected.deployment.namespace, selected.predictor.name)


def _source(settings: RunSettings, asked: PayloadLogSettings) -> str:
    """The URL of this executor, as receivers are told it."""
    if asked.source:
        return asked.source
    host = "localhost" if settings.listen.host == ALL_INTERFACES else settings.listen.host
    host = f"[{host}]" if ":" in host else host
    port = f":{settings.listen.http_port}" if settings.listen.http_port else ""
    return f"{'https' if settings.tls else 'http'}://{host}{port}/"
