"""Owns `millrace call`: one request, and its answer printed.

Must not ask by itself: `executor.client` does.
"""

import argparse
import sys
from collections.abc import Mapping

from executor import errors, options, tls_options
from executor.settings import parse_target

KINDS = ("auto", "tensor", "ndarray", "tftensor", "strData", "binData", "jsonData")
PURPOSE = "send one request and print the answer"
EPILOG = """\
DATA is JSON: a list, a text, any object, or a whole SeldonMessage such as {"data": {"ndarray": [[1, 2]]}}.

examples:
  millrace call localhost:5001 --data '[[1, 2]]'
  millrace call localhost:8000 --rest --data '{"strData": "hello"}'
  millrace call localhost:5001 --tls --ca ca.pem --data '[[1, 2]]'
  millrace call localhost:5001 --data '[[1, 2]]' --reward 1
  millrace call unix:/tmp/model.sock --file rows.npy --kind tftensor --timeout 2s
"""


def main(parsed: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Prints the answer; the exit status."""
    parse_target(parsed.target)
    trusted = tls_options.client(parsed)
    from executor import tls
    from executor.client import command

    spoken = tls.HTTP1 if parsed.rest else tls.HTTP2
    context = None if trusted is None else tls.client_context(trusted, spoken)
    data = command.read_data(parsed.data, parsed.file)
    message = command.message_of(data, parsed.kind)
    judged = None
    if parsed.reward is not None:
        truth = None if parsed.truth is None else command.message_of(command.read_json(parsed.truth, "--truth"), "auto")
        judged = command.Judgement(parsed.reward, truth)
    elif parsed.truth is not None:
        raise errors.RequestError("--truth: needs --reward as well")
    ask = command.call_rest if parsed.rest else command.call_grpc
    try:
        print(ask(parsed.target, message, parsed.timeout, context, judged))
    except errors.Error as error:
        print(f"millrace: {error.status.name}: {error.message}", file=sys.stderr)
        return 1
    return 0


def add(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("target", metavar="HOST:PORT", help="where a graph or node listens; or unix:/PATH")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", metavar="DATA", help="the request, as JSON")
    source.add_argument("--file", metavar="F", help="the request, from a .json or .npy file; - is standard input")
    parser.add_argument("--rest", action="store_true", help="ask over REST instead of gRPC")
    parser.add_argument("--kind", choices=KINDS, default="auto", help="payload kind to send the data as (default auto)")
    parser.add_argument("--reward", type=float, metavar="R",
                        help="then say how good the answer was: by custom 0 to 1, as feedback")  # fmt: skip
    parser.add_argument("--truth", metavar="DATA", help="what would have been right, as JSON; goes with --reward")
    parser.add_argument("--timeout", type=options.seconds, default=30.0, metavar="TIME",
                        help="like 2s or 500ms (default 30s)")  # fmt: skip
    tls_options.add_client(parser)
