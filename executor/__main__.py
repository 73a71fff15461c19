"""Owns `python -m executor`, the command line without the installed script. Must not do more than call it."""

import sys

from executor import cli

if __name__ == "__main__":
    sys.exit(cli.main())
