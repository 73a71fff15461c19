"""Owns how the program begins, as `millrace` or `python -m executor`. Must not do more than be ready for a signal."""

import os
import signal
import sys


def main() -> int:
    """Runs the command line; its exit status."""
    heed_termination(os.getpid())
    from executor import cli

    return cli.main()


def heed_termination(pid: int) -> None:
    """The first process of a container is not ended by SIGTERM unless it says so: before that it would be lost."""
    if pid == 1:
        signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))


if __name__ == "__main__":
    sys.exit(main())
