"""Owns how the program begins, as `millrace` or `python -m executor`. Must not do more than be ready for a signal."""

import os
import signal
import sys


def main() -> int:
    """Runs the command line; its exit status."""
    heed_termination(os.getpid())
    # While modules are loaded, Ctrl-C is no error of theirs. Whoever ignores it goes on to do so.
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds:
        signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    from executor import cli

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()


def heed_termination(pid: int) -> None:
    """The first process of a container is not ended by SIGTERM unless it says so: before that it would be lost."""
    if pid == 1:
        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


if __name__ == "__main__":
    sys.exit(main())
