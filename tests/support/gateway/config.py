"""Owns nginx's configuration for listeners and the rules behind them.

Must not read the API server. A request is described by one line; the first rule whose pattern fits it takes it. Nothing
is tried twice: what fails is seen to fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.gateway.rules import Rule, Server


@dataclass(frozen=True)
class Listener:
    """A port, for HTTP/1.1 or for gRPC. nginx of Debian 12 cannot tell the two apart on one port."""

    port: int
    grpc: bool


HEAD = """
user root;
daemon off;
worker_processes 1;
error_log {folder}/error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused1;
    uwsgi_temp_path {folder}/unused2;
    scgi_temp_path {folder}/unused3;
    map_hash_bucket_size 1024;
    variables_hash_max_size 4096;
    keepalive_requests 100000;
    proxy_next_upstream off;
    grpc_next_upstream off;
    http2_max_concurrent_streams 1000;
"""


def config(
    folder: Path, address: str, listeners: Sequence[Listener], rules: Sequence[Rule], headers: Sequence[str]
) -> str:
    """The whole file."""
    parts = [HEAD.format(folder=folder)]
    line = "|".join(["$request_method", "$host", "$uri", *(f"$http_{name.replace('-', '_')}" for name in headers)])
    for grpc in (False, True):
        its = [rule for rule in rules if rule.grpc is grpc]
        parts += [_choice(line, grpc, its), *(_passed_on(rule) for rule in its), *(_upstreams(rule) for rule in its)]
        for listener in listeners:
            if listener.grpc is grpc:
                parts.append(_server(listener, address, its))
    return "\n".join([*parts, "}", ""])


def _choice(line: str, grpc: bool, rules: Sequence[Rule]) -> str:
    fits = sorted(((close, pattern, rule.name) for rule in rules for close, pattern in rule.patterns), reverse=True)
    lines = [f'        "~{pattern}" {name};'.replace("\\|", "[|]") for _, pattern, name in fits]
    return "\n".join([f'    map "{line}" {_variable(grpc)} {{', "        default nobody;", *lines, "    }"])


def _variable(grpc: bool) -> str:
    return "$rule_of_grpc" if grpc else "$rule_of_http"


def _upstreams(rule: Rule) -> str:
    named = [(rule.name, rule.servers), *((_mirror(rule, at), servers) for at, (_, servers) in enumerate(rule.mirrors))]
    return "\n".join(_upstream(name, servers) for name, servers in named if servers) + _shares(rule)


def _upstream(name: str, servers: Sequence[Server]) -> str:
    lines = [f"        server {each.address} weight={each.weight} max_fails=0;" for each in servers]
    return "\n".join([f"    upstream {name} {{", *lines, "    }"])


def _passed_on(rule: Rule) -> str:
    """The path and query that endpoints are asked for, as the client wrote them."""
    lines = [f"    map $request_uri $passed_{rule.name} {{", "        default $request_uri;"]
    if rule.prefix is not None:
        prefix, target = rule.prefix.rstrip("/"), rule.replacement.rstrip("/")
        lines.append(f'        "~^{prefix}/?(?<rest>.*)$" "{target}/$rest";')
    return "\n".join([*lines, "    }"])


def _mirror(rule: Rule, at: int) -> str:
    return f"{rule.name}_mirror{at}"


def _shares(rule: Rule) -> str:
    """Who is mirrored, where not all are."""
    made = ""
    for at, (percent, _) in enumerate(rule.mirrors):
        share = "* 1;" if percent >= 100 else f"{percent:.2f}% 1; * 0;" if percent > 0 else "* 0;"
        made += f'\n    split_clients "$request_id" ${_mirror(rule, at)} {{ {share} }}'
    return made


def _server(listener: Listener, address: str, rules: Sequence[Rule]) -> str:
    missing = "default_type application/grpc; return 204;" if listener.grpc else "return 404;"
    lines = [
        "    server {",
        f"        listen {address}:{listener.port}{' http2' if listener.grpc else ''};",
        "        recursive_error_pages on;",
        f"        location / {{ error_page 418 = @{_variable(listener.grpc)}; return 418; }}",
        f"        location @nobody {{ {'add_header grpc-status 12 always; ' if listener.grpc else ''}{missing} }}",
    ]
    for rule in rules:
        lines += [*_location(rule), *(line for at in range(len(rule.mirrors)) for line in _mirrored(rule, at))]
    return "\n".join([*lines, "    }"])


def _location(rule: Rule) -> list[str]:
    kind = "grpc" if rule.grpc else "proxy"
    if not rule.servers:
        refused = "default_type application/grpc; add_header grpc-status 14 always; return 204;"
        return [f"        location @{rule.name} {{ {refused if rule.grpc else 'return 503;'} }}"]
    mirrors = [f"            mirror /{_mirror(rule, at)};" for at, (_, servers) in enumerate(rule.mirrors) if servers]
    headers = [f'            {kind}_set_header {name} "{value}";' for name, value in rule.headers.items()]
    waits = [f"            {kind}_read_timeout {rule.timeout or '3600s'};", f"            {kind}_connect_timeout 2s;"]
    return [f"        location @{rule.name} {{", *mirrors, *headers, *waits, *_passed(rule, rule.name), "        }"]


def _passed(rule: Rule, upstream: str) -> list[str]:
    if rule.grpc:
        return [f"            grpc_pass grpc://{upstream};"]
    return [
        "            proxy_http_version 1.1;",
        '            proxy_set_header Connection "";',
        "            proxy_set_header Host $http_host;",
        f"            proxy_pass http://{upstream}$passed_{rule.name};",
    ]


def _mirrored(rule: Rule, at: int) -> list[str]:
    name = _mirror(rule, at)
    if not rule.mirrors[at][1]:
        return []
    if rule.grpc:
        passed = ["            rewrite ^ $request_uri break;", f"            grpc_pass grpc://{name};"]
    else:
        passed = _passed(rule, name)
    return [f"        location = /{name} {{", "            internal;",
            f"            if (${name} = 0) {{ return 200; }}", *passed, "        }"]  # fmt: skip
