"""Owns `millrace microservice`: the command line and environment of Seldon's Python wrapper, made settings of a node.

Must not serve: `executor.app` does, as it does for `millrace node`.
"""

import argparse
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from executor import errors, parameters, tls_options, watch_options
from executor.container import annotations
from executor.limits import share
from executor.settings import ListenSettings, NodeSettings, ServeLimits
from executor.watching import Watch
from executor.wrapper import Wrapper

log = logging.getLogger("millrace")

PURPOSE = "serve a class written for Seldon's Python wrapper, with the wrapper's own options"
EPILOG = """\
Takes the options and environment of `seldon-core-microservice`, and serves REST and gRPC as it does. The class is
looked up in the working directory and on the import path: `Name` is the class Name of the module Name.

examples:
  millrace microservice MyModel --service-type MODEL
  millrace microservice pkg.module.MyModel --http-port 9000 --grpc-port 5000
  PREDICTIVE_UNIT_PARAMETERS='[{"name":"rate","value":"0.5","type":"FLOAT"}]' millrace microservice MyModel

environment: PREDICTIVE_UNIT_HTTP_SERVICE_PORT, PREDICTIVE_UNIT_GRPC_SERVICE_PORT,
PREDICTIVE_UNIT_METRICS_SERVICE_PORT, PREDICTIVE_UNIT_PARAMETERS, PREDICTIVE_UNIT_ID, PREDICTIVE_UNIT_IMAGE,
GUNICORN_WORKERS, GUNICORN_THREADS, GUNICORN_KEEPALIVE, GUNICORN_MAX_REQUESTS, GUNICORN_ACCESS_LOG, GRPC_WORKERS,
GRPC_THREADS, SELDON_LOG_LEVEL, MODEL_METADATA, FLASK_JSON_AS_ASCII and the others of the wrapper.

annotations of the pod (/etc/podinfo/annotations): seldon.io/rest-timeout, in ms, bounds every call;
seldon.io/grpc-max-message-size, in bytes, every message.
"""

ANNOTATIONS = Path("/etc/podinfo/annotations")
REST_TIMEOUT = annotations.REST_TIMEOUT
MAX_MESSAGE = annotations.GRPC_MAX_MESSAGE_SIZE
SERVICE_TYPES = ("MODEL", "ROUTER", "TRANSFORMER", "COMBINER", "OUTLIER_DETECTOR", "OUTPUT_TRANSFORMER")
APIS = ("REST", "GRPC")
_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "warn": "warning", "error": "error"}
_LEVELS |= {"critical": "error", "fatal": "error", "notset": "debug"}
_TRUE = ("y", "yes", "t", "true", "on", "1")
_RESTARTS = {"max_requests": "GUNICORN_MAX_REQUESTS", "max_requests_jitter": "GUNICORN_MAX_REQUESTS_JITTER"}
_KEEPALIVE_S = "2"


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("interface_name", metavar="CLASS", help="Name, package.module.Class, or path.py:Class")
    parser.add_argument("api_type", nargs="?", choices=APIS, help="serve only this one (default both)")
    parser.add_argument("--service-type", choices=SERVICE_TYPES, help="what the class is (default MODEL)")
    parser.add_argument("--parameters", metavar="JSON", help="constructor arguments: a list of name, value and type")
    for name, default in (("http", 9000), ("grpc", 5000), ("metrics", 6000)):
        parser.add_argument(f"--{name}-port", metavar="PORT", help=f"(default {default}; 0: a free one)")
    for name, what in (("workers", "processes"), ("threads", "threads for the class")):
        parser.add_argument(f"--{name}", metavar="N", help=f"{what} (default 1)")
        parser.add_argument(f"--grpc-{name}", metavar="N", help="the same: processes serve REST and gRPC alike")
    parser.add_argument("--single-threaded", nargs="?", const="1", metavar="0|1", help="the class has one thread")
    parser.add_argument("--log-level", metavar="LEVEL", help="(default INFO)")
    watch_options.add_format(parser)
    parser.add_argument("--debug", nargs="?", const="true", metavar="BOOL", help="log at level DEBUG")
    parser.add_argument("--tracing", nargs="?", const="1", metavar="0|1", help="trace calls: docs/tracing.md")
    parser.add_argument("--pidfile", metavar="PATH", help="write the process's number there")
    parser.add_argument("--max-requests", metavar="N",
                        help="replace a process after so many REST requests (default 0: never)")  # fmt: skip
    parser.add_argument("--max-requests-jitter", metavar="N", help="up to so many more, by chance (default 0)")
    parser.add_argument("--keepalive", metavar="SECONDS",
                        help=f"how long REST connections stay without a request (default {_KEEPALIVE_S})")  # fmt: skip
    parser.add_argument("--access-log", nargs="?", const="true", metavar="BOOL", help="log a line for every request")
    parser.add_argument("--persistence", nargs="?", const="1", help=argparse.SUPPRESS)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default 0.0.0.0)")
    tls_options.add_serving(parser)


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Serves until it is told to stop; the exit status."""
    settings = settings_of(parsed, environment)
    from executor import app

    app.log_to_stderr(settings.log_level, settings.watch.log_format)
    if parsed.tracing is not None:
        os.environ["TRACING"] = parsed.tracing  # where this process and its workers look
    if parsed.pidfile:
        Path(parsed.pidfile).write_text(f"{os.getpid()}\n")
    return app.node(settings)


def settings_of(parsed: argparse.Namespace, environment: Mapping[str, str], file: Path = ANNOTATIONS) -> NodeSettings:
    """What was asked. Raises `errors.RequestError`."""
    from executor.component import load

    said = _Said(parsed, environment)
    bounds = read_annotations(file)
    workers, grpc_workers = said.count("workers", "GUNICORN_WORKERS"), said.count("grpc_workers", "GRPC_WORKERS")
    http, grpc = said.port("http", 9000), said.port("grpc", 5000)
    processes = max(1, workers, grpc_workers)
    largest = bounds.get(MAX_MESSAGE, ServeLimits().max_message_bytes)
    kind = said.text("service_type", "SERVICE_TYPE", "MODEL")
    return NodeSettings(
        component=load.target_of(parsed.interface_name),
        type="MODEL" if kind not in SERVICE_TYPES or kind == "OUTLIER_DETECTOR" else kind,
        name=environment.get("PREDICTIVE_UNIT_ID", ""),
        parameters=parameters.parse(said.text("parameters", parameters.ENVIRONMENT, "[]")),
        listen=ListenSettings(
            parsed.host,
            None if parsed.api_type == "REST" or grpc_workers == 0 else grpc,
            None if parsed.api_type == "GRPC" else http,
        ),
        limits=ServeLimits(
            largest,
            memory_budget_bytes=share(None, largest, processes),
            idle_timeout_s=float(said.count("keepalive", "GUNICORN_KEEPALIVE", default=_KEEPALIVE_S)),
        ),
        # gunicorn counts whole seconds.
        default_timeout_s=float(max(1, bounds[REST_TIMEOUT] // 1000)) if REST_TIMEOUT in bounds else None,
        tls=tls_options.serving(parsed, environment),
        threads=1 if said.true("single_threaded", "FLASK_SINGLE_THREADED") else said.threads(),
        log_level=said.level(),
        strict=False,
        imported=True,
        rest_waits=True,
        workers=processes,
        metrics_port=said.port("metrics", 6000),
        metrics_path=environment.get("PREDICTIVE_UNIT_METRICS_ENDPOINT") or "/metrics",
        metrics_on_http=False,
        watch=Watch(
            log_format=parsed.log_format,
            access_log=said.true("access_log", "GUNICORN_ACCESS_LOG"),
            scrapes_told=not said.is_set("FILTER_METRICS_ACCESS_LOGS", not said.true("debug", "SELDON_DEBUG")),
            page=False,
        ),
        wrapper=_wrapper(said),
    )


def _wrapper(said: "_Said") -> Wrapper:
    debug = said.is_set("FLASK_DEBUG", said.environment.get("FLASK_ENV") == "development")
    return Wrapper(
        **{name: said.count(name, variable, default="0") for name, variable in _RESTARTS.items()},
        # What a raw method answers in bytes need not be JSON.
        json_as_ascii=said.is_set("FLASK_JSON_AS_ASCII", True) and not said.is_set("PAYLOAD_PASSTHROUGH", False),
        json_sorted=said.is_set("FLASK_JSON_SORT_KEYS", True),
        json_pretty=said.is_set("FLASK_JSONIFY_PRETTYPRINT_REGULAR", debug),
    )


def read_annotations(path: Path) -> dict[str, int]:
    """What the pod's annotations say on times and sizes. A line that is no annotation is passed over, and logged."""
    if not path.exists():
        return {}
    said, wrong = annotations.read(path)
    for each in wrong:
        log.warning("%s", each)
    return {key: _whole(said[key], f"annotation {key}", 1) for key in (REST_TIMEOUT, MAX_MESSAGE) if key in said}


class _Said:
    """Options, and the environment in place of those that were not given."""

    def __init__(self, parsed: argparse.Namespace, environment: Mapping[str, str]) -> None:
        self._parsed = parsed
        self.environment = environment

    def text(self, option: str, variable: str, default: str) -> str:
        """The option's text, else the variable's."""
        given = getattr(self._parsed, option)
        return self.environment.get(variable) or default if given is None else str(given)

    def count(self, option: str, variable: str, least: int = 0, default: str = "1") -> int:
        """A whole number."""
        return _whole(self.text(option, variable, default), self._name(option, variable), least)

    def is_set(self, name: str, default: bool) -> bool:
        """Whether a variable that no option stands for is a switch that is on."""
        said = self.environment.get(name)
        return default if said is None else said.lower() in _TRUE

    def port(self, which: str, default: int) -> int:
        """The port of one of the servers."""
        option, variable = f"{which}_port", f"PREDICTIVE_UNIT_{which.upper()}_SERVICE_PORT"
        number = _whole(self.text(option, variable, str(default)), self._name(option, variable), 0)
        if number > 65535:
            raise errors.RequestError(f"{self._name(option, variable)}: {number} is no port; allowed are 0 to 65535")
        return number

    def threads(self) -> int:
        """Threads for the class. The wrapper's default is one, and classes may rely on it."""
        rest = self.count("threads", "GUNICORN_THREADS", 1)
        return max(rest, self.count("grpc_threads", "GRPC_THREADS", 1))

    def true(self, option: str, variable: str) -> bool:
        """Whether a switch is on."""
        return self.text(option, variable, "false").lower() in _TRUE

    def level(self) -> str:
        """The level to log at."""
        if self.true("debug", "SELDON_DEBUG"):
            return "debug"
        said = self.text("log_level", "SELDON_LOG_LEVEL", "INFO")
        if said.lower() not in _LEVELS:
            raise errors.RequestError(f"log level {said!r}: allowed are DEBUG, INFO, WARNING, ERROR and CRITICAL")
        return _LEVELS[said.lower()]

    def _name(self, option: str, variable: str) -> str:
        return variable if getattr(self._parsed, option) is None else f"--{option.replace('_', '-')}"


def _whole(text: str, what: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise errors.RequestError(f"{what}: {text!r} is not a whole number from {least} on")
    return int(text)
