"""Owns what commands share: the parser, the types of their values, and the options that more than one of them has.

Must not know a command.
"""

import argparse
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from executor import errors, tls_options
from executor import limits as budgets
from executor.settings import ListenSettings, ServeLimits

USAGE_STATUS = 2
"""Exit status of whatever the user can put right."""
LOG_LEVELS = ("debug", "info", "warning", "error")


class UsageError(Exception):
    """The arguments are wrong in a way that the parser itself does not see."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and a pointer to the help. `spelled` may rewrite arguments before.

    Options are written in full: a shortened one would mean another when a later version has more of them.
    """

    spelled: Callable[[str], str] | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **named})

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse does it."""
        if args is not None and self.spelled is not None:
            args = list(map(self.spelled, args))
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            # Here, not where argparse does it: the parser of a sub-command knows the options that were meant.
            self.error(self._stray(unknown))
        return parsed, unknown

    def _stray(self, unknown: Sequence[str]) -> str:
        """What is wrong with arguments that no option takes."""
        options = [each.partition("=")[0] for each in unknown if each.startswith("-")]
        if not options:
            return f"unexpected argument {unknown[0]!r}"
        close = difflib.get_close_matches(options[0], self._option_string_actions, n=1, cutoff=0.75)
        return f"unknown option {options[0]}" + (f" (did you mean {close[0]}?)" if close else "")

    def error(self, message: str) -> NoReturn:
        """Says what is wrong and ends the program."""
        self.exit(USAGE_STATUS, f"{self.prog}: {message}\n(`{self.prog} --help` shows what is allowed)\n")


class NamedValues(argparse.Action):
    """Collects `NODE=VALUE` options into a dict."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object,
                 option_string: str | None = None) -> None:  # fmt: skip
        """Takes one more."""
        name, separator, value = str(values).partition("=")
        if not separator or not name or not value:
            parser.error(f"{option_string} {values}: write it as {option_string} {self.metavar}")
        collected = dict(getattr(namespace, self.dest))
        if name in collected:
            parser.error(f"{option_string}: node {name!r} is given twice")
        collected[name] = value
        setattr(namespace, self.dest, collected)


def port(text: str) -> int:
    """A port to listen on."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"port {text!r} is not a number from 0 (any free port) to 65535")
    return int(text)


def port_from(environment: Mapping[str, str], name: str, given: int | None, default: int) -> int:
    """The port that was given, else the environment's, else `default`. Raises `UsageError`."""
    if given is not None or not environment.get(name):
        return default if given is None else given
    try:
        return port(environment[name])
    except argparse.ArgumentTypeError as cause:
        raise UsageError(f"{name}: {cause}") from None


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    """A duration, in the form of `Millrace-Timeout`."""
    from executor.rest.headers import parse_timeout

    try:
        return parse_timeout(text, "timeout")
    except errors.RequestError as cause:
        raise argparse.ArgumentTypeError(cause.message) from None


def add_choice(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Which graph is meant, and how its nodes are reached; the group of these options."""
    parser.add_argument("manifest", metavar="MANIFEST", help="YAML or JSON file with a SeldonDeployment")
    group = parser.add_argument_group("the graph and its nodes")
    group.add_argument("--document", metavar="D", help="which document of the file, by name or number")
    group.add_argument("--predictor", metavar="P", help="which predictor, by name")
    group.add_argument("--component", action=NamedValues, default={}, metavar="NODE=path.py:Class",
                       help="Python class that is the node; again for each node")  # fmt: skip
    group.add_argument("--endpoint", action=NamedValues, default={}, metavar="NODE=URL",
                       help="where the node already listens; again for each node")  # fmt: skip
    return group


def add_serving(
    parser: argparse.ArgumentParser, default_timeout_s: float | None, ports: tuple[int | None, int | None]
) -> "argparse._ArgumentGroup":
    """How clients are served; the group of these options. `ports` are the defaults for gRPC and REST; None: another
    source has one.
    """
    group, host = parser.add_argument_group("serving"), ListenSettings().host
    group.add_argument("--host", default=host, help=f"address to listen on (default {host})")
    for name, default, told in zip(("--grpc-port", "--http-port"), ports, (5000, 9000), strict=True):
        group.add_argument(name, type=port, default=default, metavar="PORT",
                           help=f"(default {default or told}; 0: a free one)")  # fmt: skip
    add_bounds(group, default_timeout_s)
    group.add_argument("--log-level", choices=LOG_LEVELS, default="info", help="(default info)")
    tls_options.add_serving(parser)
    return group


def add_bounds(parser: "argparse._ActionsContainer", default_timeout_s: float | None) -> None:
    """What a request may take."""
    told = "none" if default_timeout_s is None else f"{default_timeout_s:g} s"
    parser.add_argument("--default-timeout", type=seconds, default=default_timeout_s, metavar="TIME",
                        help=f"deadline of requests that bring none, like 2s or 500ms (default {told})")  # fmt: skip
    largest = budgets.told(ServeLimits().max_message_bytes).replace(" ", "")
    parser.add_argument("--max-message-bytes", type=budgets.size, metavar="SIZE",
                        help=f"largest request or answer, like 1GiB (default {largest})")  # fmt: skip
    parser.add_argument("--threads", type=positive, metavar="N", help="threads for blocking components")
    budgets.add(parser)


def limits(parsed: argparse.Namespace, processes: int = 1) -> ServeLimits:
    """The bounds that the options of `add_bounds` ask for, of each of so many processes. Raises RequestError."""
    largest = parsed.max_message_bytes or ServeLimits().max_message_bytes
    share = budgets.share(parsed.memory_budget, largest, processes)
    return ServeLimits(max_message_bytes=largest, memory_budget_bytes=share)
