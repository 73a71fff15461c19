"""Owns what HTTPRoutes and GRPCRoutes mean: rules in the order in which they are tried, each with its endpoints.

Must not know nginx's words; a rule's pattern is a regular expression on one line that describes a request.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from support.kube.api import Object

Given = Mapping[str, Any]
REST = "[^|]*"


class Unsupported(Exception):
    """What this gateway does not do."""


class Unresolved(Exception):
    """A backend that is not there."""


@dataclass(frozen=True)
class Server:
    """One endpoint and its share."""

    address: str
    weight: int


@dataclass
class Rule:
    """One rule of a route. `patterns` are alternatives, each with how closely it fits."""

    name: str
    grpc: bool
    patterns: list[tuple[tuple[int, ...], str]]
    servers: list[Server]
    prefix: str | None = None
    replacement: str = ""
    mirrors: list[tuple[float, list[Server]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    timeout: str | None = None


class Endpoints:
    """Who is ready behind services."""

    def __init__(self, services: Sequence[Object], slices: Sequence[Object]) -> None:
        self._services = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in services}
        self._slices = slices

    def of(self, reference: Given, namespace: str) -> list[str]:
        """The endpoints behind a reference to a service's port."""
        if reference.get("kind", "Service") != "Service":
            raise Unsupported(f"backends of kind {reference['kind']}")
        key = (reference.get("namespace", namespace), reference["name"])
        service = self._services.get(key)
        if service is None:
            raise Unresolved(f"Service {key[0]}/{key[1]}")
        names = [each.get("name", "") for each in service["spec"]["ports"] if each["port"] == reference.get("port")]
        if not names:
            raise Unresolved(f"port {reference.get('port')} of Service {key[0]}/{key[1]}")
        return sorted(self._ready(key, names[0]))

    def _ready(self, key: tuple[str, str], port: str) -> Iterator[str]:
        for each in self._slices:
            meta = each["metadata"]
            if (meta["namespace"], meta.get("labels", {}).get("kubernetes.io/service-name")) != key:
                continue
            numbers = [found["port"] for found in each.get("ports") or [] if (found.get("name") or "") == port]
            for endpoint in each.get("endpoints") or []:
                if endpoint.get("conditions", {}).get("ready") and numbers:
                    yield from (f"{address}:{numbers[0]}" for address in endpoint["addresses"])


def header_names(routes: Sequence[Object]) -> list[str]:
    """The headers that any match looks at, in the order in which the line has them."""
    found = set()
    for route in routes:
        for rule in route["spec"].get("rules") or []:
            for match in rule.get("matches") or []:
                found |= {each["name"].lower() for each in match.get("headers") or []}
    return sorted(found)


def rules(route: Object, endpoints: Endpoints, headers: Sequence[str]) -> list[Rule]:
    """The rules of a route."""
    meta, grpc = route["metadata"], route["kind"] == "GRPCRoute"
    hosts = route["spec"].get("hostnames") or []
    made = []
    for number, given in enumerate(route["spec"].get("rules") or []):
        name = re.sub(r"\W", "_", f"{route['kind']}_{meta['namespace']}_{meta['name']}_{number}").lower()
        matches = given.get("matches") or [{}]
        patterns = [_pattern(each, grpc, hosts, headers) for each in matches]
        rule = Rule(name, grpc, patterns, _servers(given.get("backendRefs") or [], meta["namespace"], endpoints))
        for each in given.get("filters") or []:
            _filter(rule, each, meta["namespace"], endpoints, matches)
        rule.timeout = (given.get("timeouts") or {}).get("request")
        made.append(rule)
    return made


def _servers(references: Sequence[Given], namespace: str, endpoints: Endpoints) -> list[Server]:
    """All endpoints of the backends of a rule. Those of one share its weight evenly."""
    groups = [(each.get("weight", 1), endpoints.of(each, namespace)) for each in references]
    whole = math.lcm(*(len(found) for _, found in groups if found)) if groups else 1
    return [Server(address, weight * whole // len(found)) for weight, found in groups if weight for address in found]


def _filter(rule: Rule, given: Given, namespace: str, endpoints: Endpoints, matches: Sequence[Given]) -> None:
    kind = given["type"]
    if kind == "RequestMirror":
        mirror = given["requestMirror"]
        fraction = mirror.get("fraction") or {"numerator": mirror.get("percent", 100), "denominator": 100}
        percent = 100.0 * fraction["numerator"] / fraction.get("denominator", 100)
        rule.mirrors.append((percent, [Server(each, 1) for each in endpoints.of(mirror["backendRef"], namespace)]))
    elif kind == "URLRewrite" and "path" in given["urlRewrite"]:
        path = given["urlRewrite"]["path"]
        if path["type"] != "ReplacePrefixMatch" or len(matches) != 1:
            raise Unsupported("URLRewrite other than ReplacePrefixMatch of one match")
        rule.prefix, rule.replacement = matches[0]["path"]["value"], path["replacePrefixMatch"]
    elif kind == "RequestHeaderModifier":
        change = given["requestHeaderModifier"]
        rule.headers |= {each["name"]: each["value"] for each in [*change.get("set", []), *change.get("add", [])]}
        rule.headers |= dict.fromkeys(change.get("remove", []), "")
    else:
        raise Unsupported(f"filter {kind}")


def _pattern(match: Given, grpc: bool, hosts: Sequence[str], headers: Sequence[str]) -> tuple[tuple[int, ...], str]:
    """`METHOD|HOST|PATH|HEADER|...` as a regular expression, and how closely it fits: greater is tried before."""
    host = "|".join(r"[^|]+" + re.escape(each[1:]) if each.startswith("*") else re.escape(each) for each in hosts)
    method, path, exact, length = _grpc_path(match.get("method") or {}) if grpc else _http_path(match)
    wanted = {each["name"].lower(): _header(each) for each in match.get("headers") or []}
    values = "".join(rf"\|{wanted.get(name, REST)}" for name in headers)
    line = rf"^{method or REST}\|(?:{host or REST})\|{path}{values}$"
    return (exact, length, int(bool(method)), len(wanted)), line


def _header(given: Given) -> str:
    return f"(?:{given['value']})" if given.get("type") == "RegularExpression" else re.escape(given["value"])


def _http_path(match: Given) -> tuple[str, str, int, int]:
    if match.get("queryParams"):
        raise Unsupported("matches of query parameters")
    given = match.get("path") or {"type": "PathPrefix", "value": "/"}
    value, kind = given["value"], given.get("type", "PathPrefix")
    if kind == "Exact":
        return match.get("method", ""), re.escape(value), 2, len(value)
    if kind == "RegularExpression":
        return match.get("method", ""), f"(?:{value})", 0, len(value)
    bare = value.rstrip("/")
    return match.get("method", ""), rf"{re.escape(bare)}(?:/{REST})?", 1, len(bare)


def _grpc_path(given: Given) -> tuple[str, str, int, int]:
    service, method = given.get("service"), given.get("method")
    if given.get("type") == "RegularExpression":
        return "", rf"/{service or REST}/{method or REST}", 0, len((service or "") + (method or ""))
    path = rf"/{re.escape(service) if service else '[^|/]*'}/{re.escape(method) if method else '[^|/]*'}"
    return "", path, 2 if service and method else 1, len((service or "") + (method or ""))
