"""Owns what flags, environment and annotations of the executor's container mean together: the settings of one run.

Must not log nor serve: what the user should know beside an error is handed back as notes.
"""

import argparse
import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from executor import channel_options, cpus, errors, options, state_options, tls_options, watch_options
from executor.container import annotations, flags
from executor.settings import (
    CorsSettings,
    Deployment,
    ListenSettings,
    NodeChecks,
    NodeTimeouts,
    PayloadLogSettings,
    Prepackaged,
    RunSettings,
    ServeLimits,
)

PREDICTOR = "ENGINE_PREDICTOR"
LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "WARN": "info", "ERROR": "error",
          "FATAL": "critical"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What a container was asked to do."""

    settings: RunSettings
    text: str | None
    """The graph, where it does not come from a file."""
    notes: tuple[str, ...]
    """What is odd, for the log."""


def read(parsed: argparse.Namespace, environment: Mapping[str, str]) -> Asked:
    """All of it. Raises `errors.RequestError` for what is refused, naming the flag, variable or annotation."""
    _refuse(parsed, environment)
    notes: list[str] = []
    text = None if parsed.file else predictor(environment.get(PREDICTOR))
    bounds = _annotated(parsed, notes)
    workers = parsed.workers or cpus.container_workers(environment.get("GOMAXPROCS", ""), notes)
    limits = options.limits(parsed, workers)
    tls = tls_options.serving(parsed, environment)
    settings = RunSettings(
        manifest=parsed.file or PREDICTOR,
        alone=text is not None,
        predictor=parsed.predictor,
        listen=ListenSettings(parsed.host, parsed.grpc_port, parsed.http_port),
        limits=_limits(limits, parsed.graceful_timeout, bounds.grpc_max_message_bytes),
        grpc_max_message_bytes=bounds.grpc_max_message_bytes,
        default_timeout_s=parsed.default_timeout,
        node_timeouts=NodeTimeouts(bounds.rest_timeout_s, bounds.grpc_timeout_s),
        node_checks=NodeChecks.FULL if parsed.full_health_checks else NodeChecks.DIAL,
        prepackaged=Prepackaged(parsed.prepackaged),
        by_front=True,
        tls=tls,
        node_tls=tls_options.nodes(parsed),
        channels=channel_options.read(parsed),
        state=state_options.place(parsed, workers),
        routing_meta=not parsed.no_routing_meta,
        routing_visited=bool(environment.get("SELDON_ENABLE_ROUTING_INJECTION")),
        cors=_cors(environment),
        threads=parsed.threads,
        log_level=_log_level(parsed, environment, notes),
        workers=workers,
        shutdown_delay_s=parsed.shutdown_delay,
        deployment=Deployment(parsed.sdep, parsed.namespace, parsed.predictor),
        payload_log=_payload_log(parsed, environment, tls is not None),
        prometheus_path=parsed.prometheus_path,
        watch=watch_options.read(parsed),
    )
    return Asked(settings, text, tuple(notes))


def predictor(value: str | None) -> str:
    """The text of the predictor in `ENGINE_PREDICTOR`. Raises `errors.RequestError`."""
    if value is None:
        raise errors.RequestError(f"{PREDICTOR} is not set, and there is no --file; one of them says what is served")
    if not value.strip():
        raise errors.RequestError(f"{PREDICTOR} is empty; it must be the base64 of a predictor in JSON")
    try:
        data = base64.b64decode("".join(value.split()), validate=True)
    except binascii.Error as error:
        raise errors.RequestError(f"{PREDICTOR} is not base64: {error}") from None
    try:
        # Go puts the same in the place of what is no UTF-8, and of half a surrogate pair.
        whole = json.dumps(json.loads(data.decode("utf-8", "replace")), ensure_ascii=False)
        return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    except (ValueError, RecursionError) as error:
        raise errors.RequestError(f"{PREDICTOR}: what its base64 holds is not JSON: {error}") from None


def _refuse(parsed: argparse.Namespace, environment: Mapping[str, str]) -> None:
    if parsed.server_type != "rpc":
        raise errors.RequestError(f"--server_type {parsed.server_type}: Kafka mode is not supported; allowed: rpc")
    if parsed.protocol != "seldon":
        raise errors.RequestError(f"--protocol {parsed.protocol} is not supported; allowed: seldon")
    for name, value in (
        ("--log_kafka_broker", parsed.log_kafka_broker),
        ("LOGGER_KAFKA_BROKER", environment.get("LOGGER_KAFKA_BROKER")),
    ):
        if value:
            raise errors.RequestError(f"{name} {value}: payloads cannot be logged to Kafka, only to a URL")


def _annotated(parsed: argparse.Namespace, notes: list[str]) -> annotations.Bounds:
    path = Path(parsed.annotations or flags.ANNOTATIONS)
    if parsed.annotations is None and not path.exists():
        return annotations.Bounds()  # not in a pod
    found, wrong = annotations.read(path)
    bounds, ignored = annotations.bounds(found)
    notes += [*wrong, *ignored]
    return bounds


def _limits(limits: ServeLimits, graceful_timeout_s: float, grpc_max: int | None) -> ServeLimits:
    # REST and nodes know no such bound in Seldon: a larger one must not meet ours there.
    size = max(limits.max_message_bytes, grpc_max or 0)
    return replace(limits, max_message_bytes=size, drain_timeout_s=graceful_timeout_s)


def _cors(environment: Mapping[str, str]) -> CorsSettings:
    given = {}
    for field, name in (("origins", "CORS_ALLOWED_ORIGINS"), ("headers", "CORS_ALLOWED_HEADERS")):
        value = environment.get(name)
        if not value:
            continue
        if not value.isascii() or not value.isprintable():
            raise errors.RequestError(f"{name} {value!r}: a header's value is printable ASCII")
        given[field] = value
    return CorsSettings(**given)


def _log_level(parsed: argparse.Namespace, environment: Mapping[str, str], notes: list[str]) -> str:
    debug = parsed.debug
    if debug is None and environment.get("SELDON_DEBUG"):
        try:
            debug = flags.boolean(environment["SELDON_DEBUG"])
        except argparse.ArgumentTypeError as error:
            notes.append(f"SELDON_DEBUG: {error}; it is ignored")
    if debug:
        return "debug"
    name, text = ("--log_level", parsed.log_level) if parsed.log_level else (
        "SELDON_LOG_LEVEL", environment.get("SELDON_LOG_LEVEL") or "INFO",
    )  # fmt: skip
    if text.upper() not in LEVELS:
        notes.append(f"{name} {text!r} is unknown, and INFO is used; known are {', '.join(LEVELS)}")
    return LEVELS.get(text.upper(), "info")


def _payload_log(parsed: argparse.Namespace, environment: Mapping[str, str], secure: bool) -> PayloadLogSettings:
    hostname = parsed.hostname or environment.get("POD_NAME") or "localhost"
    return PayloadLogSettings(
        default_url=environment.get("REQUEST_LOGGER_DEFAULT_ENDPOINT", ""),
        source=f"{'https' if secure else 'http'}://{hostname}:{parsed.http_port}/",
        workers=parsed.logger_workers,
        queue_max=parsed.log_work_buffer_size,
        write_timeout_ms=parsed.log_write_timeout_ms,
    )
