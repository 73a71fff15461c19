"""Owns the command line as a whole: which commands there are, and what a user sees when one fails.

Must not know what a command does: each is a module of `executor.commands`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from executor import __version__, errors, options
from executor.commands import call, check, container, fetch, microservice, node, operator, run, state


class Command(Protocol):
    """What the module of a command offers."""

    PURPOSE: str
    EPILOG: str

    def add(self, parser: options.Parser) -> None:
        """Its options."""

    def main(self, parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
        """Runs it; the exit status."""


COMMANDS: Mapping[str, Command] = {
    "run": run, "check": check, "node": node, "call": call, "state": state, "fetch": fetch, "executor": container,
    "microservice": microservice, "operator": operator,
}  # fmt: skip

_WORKER = "worker"
"""What each of several workers is started as."""
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


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Runs one command; its exit status. The user's own mistakes get one clear message and status 2."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given:
        _parser().print_help()
        return options.USAGE_STATUS
    # No parser knows the command that workers are started as: it is not for users.
    parsed = argparse.Namespace(command=_worker) if given[0] == _WORKER else _parser().parse_args(given)
    command: Callable[[argparse.Namespace, Mapping[str, str]], int] = parsed.command
    try:
        return command(parsed, environment)
    except (options.UsageError, errors.Error) as error:
        print(f"millrace: {error}", file=sys.stderr)
        return options.USAGE_STATUS if isinstance(error, _USER_ERRORS) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said to them, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


_USER_ERRORS = (
    options.UsageError,
    errors.ManifestError,
    errors.RequestError,
    errors.ComponentError,
    errors.DecodeError,
    errors.EncodeError,
)


def _worker(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from executor import worker

    return worker.run()


def _parser() -> options.Parser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = options.Parser("millrace", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"millrace {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for name, command in COMMANDS.items():
        described = command.PURPOSE[0].upper() + command.PURPOSE[1:] + "."
        own = commands.add_parser(
            name, help=command.PURPOSE, description=described, epilog=command.EPILOG, formatter_class=raw
        )
        own.set_defaults(command=command.main)
        command.add(own)
    return parser
