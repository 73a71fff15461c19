"""Owns what the environment says of traces: OpenTelemetry's variables, and Seldon's of Jaeger where those say nothing.

Must not trace nor send. A value that cannot be used never stops a program: it is told, and the default holds.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from executor import __version__
from executor._native import propagation

GRPC, HTTP = "grpc", "http/protobuf"
TRACES_PATH = "/v1/traces"
GRPC_PORT, HTTP_PORT = 4317, 4318
SPANS_MAX, DAY_MS = 1_000_000, 86_400_000
"""The most that variables may ask for."""
FORMS = {
    "tracecontext": propagation.W3C,
    "b3": propagation.B3,
    "b3multi": propagation.B3_MULTI,
    "jaeger": propagation.JAEGER,
}
"""Propagators that have headers of a trace. `baggage` needs nothing done: headers travel."""
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_SAMPLERS = ("always_on", "always_off", "traceidratio")
_JAEGER_SAMPLERS = ("const", "probabilistic", "ratelimiting", "remote")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """How requests are traced, and where to their spans go."""

    url: str
    """`http://HOST:PORT` for gRPC, with the path for HTTP; https:// is TLS."""
    protocol: str = HTTP
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 10.0
    """For one attempt."""
    gzip: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    service: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Of the resource; without the service's name."""
    forms: tuple[int, ...] = (propagation.W3C,)
    parents: bool = True
    """Whether the caller's decision holds."""
    ratio: float = 1.0
    """Of the requests that nobody has decided on."""
    rate: float = 0.0
    """At most so many of them a second; 0: no such bound."""
    queue_max: int = 2048
    batch_max: int = 512
    delay_s: float = 5.0
    export_s: float = 30.0
    """For one batch, all attempts together."""

    def resource(self, service: str) -> dict[str, str | int]:
        """Attributes that say who sends; `service` is the name of one that was not given any."""
        return {
            "service.name": self.service or service,
            "service.version": __version__,
            "service.instance.id": str(uuid.uuid4()),
            "telemetry.sdk.name": "millrace",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.version": __version__,
            **self.attributes,
        }


def read(environment: Mapping[str, str]) -> tuple[TraceSettings | None, list[str]]:
    """What is asked for, None where nothing is traced, and what of it cannot be used, in words for the log."""
    reader = _Reader(environment)
    return reader.settings(), reader.notes


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.notes: list[str] = []
        self._jaeger = self._asks_jaeger()

    def settings(self) -> TraceSettings | None:
        exporters = [each.strip() for each in self._text("OTEL_TRACES_EXPORTER").split(",")]
        if self._true("OTEL_SDK_DISABLED") or self._true("JAEGER_DISABLED") or "none" in exporters:
            return None
        for other in sorted({*exporters} - {"", "otlp"}):
            self.notes.append(f"OTEL_TRACES_EXPORTER {other!r}: allowed are otlp and none; otlp is used")
        if not (self._otlp("ENDPOINT") or any(exporters) or self._jaeger):
            return None
        protocol = self._protocol()
        url = self._url(protocol)
        return None if url is None else self._whole(url, protocol)

    def _whole(self, url: str, protocol: str) -> TraceSettings:
        parents, ratio, rate = self._sampler()
        compression = self._otlp("COMPRESSION") or "none"
        if compression not in ("none", "gzip") or (compression == "gzip" and protocol == GRPC):
            self.notes.append(
                f"OTLP compression {compression!r} over {protocol}: allowed is gzip over {HTTP}; none is used"
            )
            compression = "none"
        attributes = self._attributes()
        service = (
            self._text("OTEL_SERVICE_NAME") or attributes.pop("service.name", "") or self._text("JAEGER_SERVICE_NAME")
        )
        attributes.pop("service.name", None)
        queue = self._number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, int, 1, SPANS_MAX)
        return TraceSettings(
            url,
            protocol,
            self._headers(),
            self._seconds(self._otlp_name("TIMEOUT"), 10_000.0),
            compression == "gzip",
            self._otlp("CERTIFICATE") or None,
            self._otlp("CLIENT_CERTIFICATE") or None,
            self._otlp("CLIENT_KEY") or None,
            service,
            attributes,
            self._forms(),
            parents,
            ratio,
            rate,
            queue,
            min(queue, self._number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, int, 1, SPANS_MAX)),
            self._seconds("OTEL_BSP_SCHEDULE_DELAY", 5000.0),
            self._seconds("OTEL_BSP_EXPORT_TIMEOUT", 30_000.0),
        )

    # --- where to ---------------------------------------------------------------------------------------------

    def _asks_jaeger(self) -> bool:
        """Whether Seldon's variables ask for traces. `TRACING=0` says that they do not."""
        tracing = self._environment.get("TRACING")
        if tracing is not None and tracing.strip().lower() in _FALSE:
            return False
        return bool(tracing or self._text("JAEGER_AGENT_HOST") or self._text("JAEGER_ENDPOINT"))

    def _protocol(self) -> str:
        said = self._otlp("PROTOCOL")
        if said in (GRPC, HTTP):
            return said
        if said:
            self.notes.append(f"OTLP protocol {said!r}: allowed are {GRPC} and {HTTP}; it is left out")
        endpoint = self._otlp("ENDPOINT")
        by_port = _place(endpoint)[1] == GRPC_PORT
        return GRPC if by_port or (not endpoint and self._jaeger) else HTTP

    def _url(self, protocol: str) -> str | None:
        """Where spans go; None for what is no URL."""
        own = self._text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        url = own or self._text("OTEL_EXPORTER_OTLP_ENDPOINT") or self._default(protocol)
        if "://" not in url and protocol == GRPC:
            url = f"{'http' if self._true(self._otlp_name('INSECURE')) else 'https'}://{url}"
        try:
            parts = urlsplit(url)
            port = parts.port or (GRPC_PORT if protocol == GRPC else 443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.notes.append(
                f"OTLP endpoint {url!r}: allowed is http://HOST[:PORT][/PATH], or https://; nothing is traced"
            )
            return None
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        path = "" if protocol == GRPC else parts.path if own else parts.path.rstrip("/") + TRACES_PATH
        return f"{parts.scheme}://{host}:{port}{path}" + (f"?{parts.query}" if parts.query and path else "")

    def _default(self, protocol: str) -> str:
        """Jaeger takes OTLP itself, at the host that once had its agent or collector."""
        host = self._text("JAEGER_AGENT_HOST") or _place(self._text("JAEGER_ENDPOINT"))[0] or "localhost"
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{host}:{GRPC_PORT if protocol == GRPC else HTTP_PORT}"

    def _headers(self) -> tuple[tuple[str, str], ...]:
        found = []
        for name, value in self._pairs(self._otlp_name("HEADERS")):
            if _NAME.fullmatch(name) and value.isprintable() and value.isascii():
                found.append((name.lower(), value))
            else:
                self.notes.append(f"OTLP header {name!r} cannot be sent, and is left out")
        return tuple(found)

    # --- who ----------------------------------------------------------------------------------------------------

    def _attributes(self) -> dict[str, str]:
        tags = [*self._pairs("JAEGER_TAGS"), *self._pairs("JAEGER_EXTRA_TAGS")] if self._jaeger else []
        return dict(tags) | dict(self._pairs("OTEL_RESOURCE_ATTRIBUTES"))

    # --- which --------------------------------------------------------------------------------------------------

    def _sampler(self) -> tuple[bool, float, float]:
        """Whether the caller decides; else the share, and how many a second."""
        said = self._text("OTEL_TRACES_SAMPLER")
        if not said and self._jaeger:
            return self._jaeger_sampler()
        name = said.removeprefix("parentbased_") or "always_on"
        if name not in _SAMPLERS:
            allowed = ", ".join((*_SAMPLERS, *(f"parentbased_{each}" for each in _SAMPLERS)))
            self.notes.append(f"OTEL_TRACES_SAMPLER {said!r}: allowed are {allowed}; parentbased_always_on is used")
            return True, 1.0, 0.0
        ratio = {"always_on": 1.0, "always_off": 0.0}.get(name)
        if ratio is None:
            ratio = self._number("OTEL_TRACES_SAMPLER_ARG", 1.0, float, 0, 1)
        return not said or said.startswith("parentbased_"), ratio, 0.0

    def _jaeger_sampler(self) -> tuple[bool, float, float]:
        kind = self._text("JAEGER_SAMPLER_TYPE") or "const"
        if kind not in _JAEGER_SAMPLERS:
            self.notes.append(
                f"JAEGER_SAMPLER_TYPE {kind!r}: allowed are {', '.join(_JAEGER_SAMPLERS)}; const 1 is used"
            )
            return True, 1.0, 0.0
        if kind == "ratelimiting":
            return True, 0.0, self._number("JAEGER_SAMPLER_PARAM", 1.0, float, 0)
        if kind == "remote":
            self.notes.append("JAEGER_SAMPLER_TYPE remote: nobody is asked; what JAEGER_SAMPLER_PARAM says holds")
        return True, self._number("JAEGER_SAMPLER_PARAM", 0.001 if kind == "remote" else 1.0, float, 0, 1), 0.0

    def _forms(self) -> tuple[int, ...]:
        """Forms of headers, each once, the most telling first."""
        said = self._text("OTEL_PROPAGATORS")
        if not said:
            jaeger = {"b3": "b3multi", "": "jaeger"}.get(self._text("JAEGER_TRACE_PROPAGATION_TYPE"), "jaeger")
            said = f"tracecontext,baggage,{jaeger}" if self._jaeger else "tracecontext,baggage"
        names = [name.strip() for name in said.split(",") if name.strip()]
        for name in names:
            if name not in FORMS and name not in ("baggage", "none"):
                allowed = ", ".join((*FORMS, "baggage", "none"))
                self.notes.append(f"OTEL_PROPAGATORS {name!r}: allowed are {allowed}; it is left out")
        return () if "none" in names else tuple(dict.fromkeys(FORMS[name] for name in names if name in FORMS))

    # --- variables ----------------------------------------------------------------------------------------------

    def _text(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def _true(self, name: str) -> bool:
        return self._text(name).lower() in _TRUE

    def _otlp_name(self, name: str) -> str:
        """The variable for traces alone, or that for all."""
        own = f"OTEL_EXPORTER_OTLP_TRACES_{name}"
        return own if self._text(own) else f"OTEL_EXPORTER_OTLP_{name}"

    def _otlp(self, name: str) -> str:
        return self._text(self._otlp_name(name))

    def _seconds(self, name: str, default_ms: float) -> float:
        return self._number(name, default_ms, float, 1, DAY_MS) / 1000

    def _number(
        self, name: str, default: Value, kind: Callable[[str], Value], least: float, most: float = float("inf")
    ) -> Value:
        text = self._text(name)
        if not text:
            return default
        try:
            value = kind(text)
            if least <= value <= most and value != float("inf"):  # type: ignore[operator]
                return value
        except ValueError:
            pass
        end = "on" if most == float("inf") else f"to {most:.0f}"
        self.notes.append(f"{name} {text!r}: allowed are numbers from {least:g} {end}; {default:g} is used")
        return default

    def _pairs(self, name: str) -> Iterator[tuple[str, str]]:
        """`key=value,…`, percent-encoded."""
        for part in self._text(name).split(","):
            key, equals, value = part.partition("=")
            if equals and key.strip():
                yield unquote(key.strip()), unquote(value.strip())
            elif part.strip():
                self.notes.append(f"{name}: {part.strip()!r} is not key=value, and is left out")


def _place(url: str) -> tuple[str, int | None]:
    """Host and port of what may be a URL."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None
