"""Owns the command line: arguments and environment in, settings out, and what a user sees when they are wrong.

Must not serve, load or call anything itself: each command hands over to the part that does, imported only then.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from executor import __version__, errors, parameters, state_options, tls_options
from executor.cpus import processes
from executor.settings import ListenSettings, NodeSettings, RunSettings, ServeLimits, parse_target, parse_url

USAGE_STATUS = 2
"""Exit status of whatever the user can put right."""
NODE_TYPES = ("MODEL", "ROUTER", "COMBINER", "TRANSFORMER", "OUTPUT_TRANSFORMER")
LOG_LEVELS = ("debug", "info", "warning", "error")
KINDS = ("auto", "tensor", "ndarray", "tftensor", "strData", "binData", "jsonData")

_DESCRIPTION = """\
Runs inference graphs: a request goes through a graph of models, routers, combiners and transformers, and one
answer comes back. Graphs are SeldonDeployment manifests; nodes are Python classes, or servers of their own.
"""
_EPILOG = """\
examples:
  millrace check graph.yaml --local              is it right, and what does it look like
  millrace run graph.yaml --component m=model.py:Model
                                                 serve it, with node m in this process
  millrace call localhost:5001 --data '[[1, 2]]' ask it
  millrace node model.py:Model --type MODEL      serve one node, for graphs that run elsewhere

`millrace COMMAND --help` says more about each command.
"""
_RUN_EPILOG = """\
Every node that is called needs a component (a Python class) or an endpoint, unless the manifest says where it is.

examples:
  millrace run graph.yaml --component scaler=nodes.py:Scaler --component model=nodes.py:Model
  millrace run graph.yaml --endpoint model=grpc://127.0.0.1:9000 --endpoint scaler=http://127.0.0.1:9001
  millrace run graph.yaml --component model=nodes.py:Model --isolate model

endpoints are written grpc://HOST:PORT, unix:/PATH (gRPC over a unix socket) or http://HOST:PORT.
grpcs:// and https:// are the same over TLS.
"""
_NODE_EPILOG = """\
The class has methods named predict, transform_input, transform_output, route, aggregate or send_feedback, as
Seldon's Python classes do.

examples:
  millrace node model.py:Model --type MODEL
  millrace node model.py:Model --parameters '{"threshold": 0.5}' --grpc-port 0
  millrace node router.py:Router --type ROUTER --uds /tmp/router.sock

environment: PREDICTIVE_UNIT_GRPC_SERVICE_PORT, PREDICTIVE_UNIT_HTTP_SERVICE_PORT, PREDICTIVE_UNIT_PARAMETERS and
PREDICTIVE_UNIT_ID stand in for --grpc-port, --http-port, --parameters and --name;
SELDON_CERT_MOUNT_PATH, SELDON_CERT_FILE_NAME and SELDON_CERT_KEY_FILE_NAME for --tls-cert and --tls-key.
"""
_CHECK_EPILOG = """\
Prints every problem of the file with its line and exits with 2, or prints the graphs and exits with 0.

examples:
  millrace check deployment.yaml                 against the rules of a cluster: nodes are containers
  millrace check graph.yaml --local              against those of `millrace run`: components or endpoints
"""
_CALL_EPILOG = """\
DATA is JSON: a list, a text, any object, or a whole SeldonMessage such as {"data": {"ndarray": [[1, 2]]}}.

examples:
  millrace call localhost:5001 --data '[[1, 2]]'
  millrace call localhost:8000 --rest --data '{"strData": "hello"}'
  millrace call unix:/tmp/model.sock --file rows.npy --kind tftensor --timeout 2s
"""


class UsageError(Exception):
    """The arguments are wrong in a way that the parser itself does not see."""


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Runs one command; its exit status. The user's own mistakes get one clear message and status 2."""
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace, Mapping[str, str]], int] = parsed.command
    try:
        return command(parsed, environment)
    except (UsageError, errors.Error) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return USAGE_STATUS if isinstance(error, _USER_ERRORS) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said to them, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


_USER_ERRORS = (
    UsageError,
    errors.ManifestError,
    errors.RequestError,
    errors.ComponentError,
    errors.DecodeError,
    errors.EncodeError,
)


# --- commands -------------------------------------------------------------------------------------------------


def _run(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    settings = run_settings(parsed, environment)
    from executor import app

    return app.run(settings)


def _worker(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from executor import worker

    return worker.run()


def _node(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    settings = node_settings(parsed, environment)
    from executor import app

    return app.node(settings)


def _check(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from executor import manifest
    from executor.graph import plan

    reached = [*parsed.component, *parsed.endpoint]
    profile = manifest.Profile.LOCAL if parsed.local or reached else manifest.Profile.CLUSTER
    source, chosen = Path(parsed.manifest), (parsed.document, parsed.predictor)
    if chosen == (None, None):
        found = [
            (deployment, predictor)
            for deployment in manifest.load_all(source, profile, reached or None)
            for predictor in deployment.predictors
        ]
    else:
        one = manifest.load(source, profile, document=chosen[0], predictor=chosen[1], reached=reached or None)
        found = [(one.deployment, one.predictor)]
    for deployment, predictor in found:
        print(plan.tree(plan.compile_plan(predictor, deployment.name)))
    print(f"{parsed.manifest}: ok, {len(found)} graph{'s' if len(found) != 1 else ''}, by the {profile.value} rules")
    return 0


def _call(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    parse_target(parsed.target)
    from executor.client import command

    data = command.read_data(parsed.data, parsed.file)
    message = command.message_of(data, parsed.kind)
    ask = command.call_rest if parsed.rest else command.call_grpc
    try:
        print(ask(parsed.target, message, parsed.timeout))
    except errors.Error as error:
        print(f"millrace: {error.status.name}: {error.message}", file=sys.stderr)
        return 1
    return 0


# --- arguments to settings ------------------------------------------------------------------------------------


def run_settings(parsed: argparse.Namespace, environment: Mapping[str, str]) -> RunSettings:
    """What `millrace run` was asked. Raises `UsageError` and `errors.RequestError`."""
    components: dict[str, str] = parsed.component
    endpoints = {name: parse_url(url, f"--endpoint {name}:") for name, url in parsed.endpoint.items()}
    both = sorted(components.keys() & endpoints.keys())
    if both:
        raise UsageError(f"node {both[0]!r} has both a --component and an --endpoint; give one of them")
    lost = sorted(set(parsed.isolate) - components.keys())
    if lost:
        raise UsageError(f"--isolate {lost[0]}: only nodes with a --component can be isolated")
    return RunSettings(
        manifest=parsed.manifest,
        components=components,
        endpoints=endpoints,
        isolate=frozenset(parsed.isolate),
        document=parsed.document,
        predictor=parsed.predictor,
        listen=ListenSettings(parsed.host, parsed.grpc_port, parsed.http_port),
        limits=_limits(parsed),
        default_timeout_s=parsed.default_timeout,
        tls=tls_options.serving(parsed, environment),
        node_tls=tls_options.nodes(parsed),
        routing_meta=not parsed.no_routing_meta,
        threads=parsed.threads,
        log_level=parsed.log_level,
        workers=parsed.workers,
        state=state_options.place(parsed, parsed.workers),
    )


def node_settings(parsed: argparse.Namespace, environment: Mapping[str, str]) -> NodeSettings:
    """What `millrace node` was asked. Raises `UsageError`."""
    grpc_port, http_port = parsed.grpc_port, parsed.http_port
    if parsed.uds is None:
        grpc_port = _port_from(environment, "PREDICTIVE_UNIT_GRPC_SERVICE_PORT", grpc_port, 5000)
        http_port = _port_from(environment, "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", http_port, 9000)
    text = parsed.parameters or environment.get("PREDICTIVE_UNIT_PARAMETERS") or "{}"
    return NodeSettings(
        component=parsed.component,
        type=parsed.type,
        name=parsed.name or environment.get("PREDICTIVE_UNIT_ID", ""),
        parameters=parameters.parse(text),
        listen=ListenSettings(parsed.host, grpc_port, http_port, parsed.uds),
        limits=_limits(parsed),
        default_timeout_s=parsed.default_timeout,
        tls=tls_options.serving(parsed, environment),
        threads=parsed.threads,
        log_level=parsed.log_level,
    )


def _limits(parsed: argparse.Namespace) -> ServeLimits:
    return ServeLimits(max_message_bytes=parsed.max_message_bytes) if parsed.max_message_bytes else ServeLimits()


def _port_from(environment: Mapping[str, str], name: str, given: int | None, default: int) -> int:
    if given is not None or not environment.get(name):
        return default if given is None else given
    try:
        return _port(environment[name])
    except argparse.ArgumentTypeError as cause:
        raise UsageError(f"{name}: {cause}") from None


# --- parser ---------------------------------------------------------------------------------------------------


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"port {text!r} is not a number from 0 (any free port) to 65535")
    return int(text)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _seconds(text: str) -> float:
    from executor.rest.headers import parse_timeout

    try:
        return parse_timeout(text, "timeout")
    except errors.RequestError as cause:
        raise argparse.ArgumentTypeError(cause.message) from None


class _NamedValues(argparse.Action):
    """Collects `NODE=VALUE` options into a dict."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object,
                 option_string: str | None = None) -> None:  # fmt: skip
        name, separator, value = str(values).partition("=")
        if not separator or not name or not value:
            parser.error(f"{option_string} {values}: write it as {option_string} {self.metavar}")
        collected = dict(getattr(namespace, self.dest))
        if name in collected:
            parser.error(f"{option_string}: node {name!r} is given twice")
        collected[name] = value
        setattr(namespace, self.dest, collected)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and a pointer to the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_STATUS, f"{self.prog}: {message}\n(`{self.prog} --help` shows what is allowed)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("millrace", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=_RAW)
    parser.add_argument("--version", action="version", version=f"millrace {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    _add_run(_command(commands, "run", "serve the graph of a manifest on this machine", _RUN_EPILOG, _run))
    _add_check(_command(commands, "check", "check a manifest and draw its graph", _CHECK_EPILOG, _check))
    _add_node(_command(commands, "node", "serve one Python class as a node", _NODE_EPILOG, _node))
    _add_call(_command(commands, "call", "send one request and print the answer", _CALL_EPILOG, _call))
    kept = "show what routers have learned"
    state_options.add_command(_command(commands, "state", kept, state_options.EPILOG, state_options.show))
    commands.add_parser("worker").set_defaults(command=_worker)  # what `run --workers` starts; not for users
    return parser


_RAW = argparse.RawDescriptionHelpFormatter
_Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def _command(
    commands: "argparse._SubParsersAction[_Parser]", name: str, purpose: str, epilog: str, command: _Command
) -> argparse.ArgumentParser:
    described = purpose[0].upper() + purpose[1:] + "."
    parser = commands.add_parser(name, help=purpose, description=described, epilog=epilog, formatter_class=_RAW)
    parser.set_defaults(command=command)
    return parser


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", metavar="MANIFEST", help="YAML or JSON file with a SeldonDeployment")
    parser.add_argument("--document", metavar="D", help="which document of the file, by name or number")
    parser.add_argument("--predictor", metavar="P", help="which predictor, by name")
    parser.add_argument("--component", action=_NamedValues, default={}, metavar="NODE=path.py:Class",
                        help="Python class that is the node; again for each node")  # fmt: skip
    parser.add_argument("--endpoint", action=_NamedValues, default={}, metavar="NODE=URL",
                        help="where the node already listens; again for each node")  # fmt: skip


def _add_serving(parser: argparse.ArgumentParser, default_timeout_s: float | None) -> None:
    host = ListenSettings().host
    told = "none" if default_timeout_s is None else f"{default_timeout_s:g} s"
    parser.add_argument("--host", default=host, help=f"address to listen on (default {host})")
    parser.add_argument("--default-timeout", type=_seconds, default=default_timeout_s, metavar="TIME",
                        help=f"deadline of requests that bring none, like 2s or 500ms (default {told})")  # fmt: skip
    parser.add_argument("--max-message-bytes", type=_positive, metavar="N",
                        help=f"largest request or answer (default {ServeLimits().max_message_bytes})")  # fmt: skip
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads for blocking components")
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="(default info)")
    tls_options.add_serving(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_choice(parser)
    parser.add_argument("--isolate", action="append", default=[], metavar="NODE",
                        help="run the node's component in a process of its own; again for each node")  # fmt: skip
    parser.add_argument("--grpc-port", type=_port, default=5001, metavar="PORT", help="(default 5001; 0: a free one)")
    parser.add_argument("--http-port", type=_port, default=8000, metavar="PORT", help="(default 8000; 0: a free one)")
    parser.add_argument("--workers", type=processes, default=1, metavar="N",
                        help="processes; each loads the components; auto: by the CPU quota (default 1)")  # fmt: skip
    parser.add_argument("--no-routing-meta", action="store_true",
                        help="leave meta.routing out of answers; feedback then cannot follow the route")  # fmt: skip
    _add_serving(parser, RunSettings("").default_timeout_s)
    tls_options.add_nodes(parser)
    state_options.add_serving(parser)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_choice(parser)
    parser.add_argument("--local", action="store_true", help="check for `millrace run` instead of for a cluster")


def _add_node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("component", metavar="path.py:Class", help="the class; or package.module:Class")
    parser.add_argument("--type", choices=NODE_TYPES, default="MODEL", help="(default MODEL)")
    parser.add_argument("--name", default="", help="name of the node in its graph")
    parser.add_argument("--parameters", metavar="JSON", help="constructor arguments, as an object of names and values")
    parser.add_argument("--grpc-port", type=_port, metavar="PORT", help="(default 5000; 0: a free one)")
    parser.add_argument("--http-port", type=_port, metavar="PORT", help="(default 9000; 0: a free one)")
    parser.add_argument("--uds", metavar="PATH",
                        help="serve gRPC on this unix socket; TCP then only where a port is given")  # fmt: skip
    _add_serving(parser, None)


def _add_call(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="HOST:PORT", help="where a graph or node listens; or unix:/PATH")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="DATA", help="the request, as JSON")
    source.add_argument("--file", metavar="F", help="the request, from a .json or .npy file; - is standard input")
    parser.add_argument("--rest", action="store_true", help="ask over REST instead of gRPC")
    parser.add_argument("--kind", choices=KINDS, default="auto", help="payload kind to send the data as (default auto)")
    parser.add_argument("--timeout", type=_seconds, default=30.0, metavar="TIME", help="like 2s or 500ms (default 30s)")
