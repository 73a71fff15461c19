"""Owns `custom_service()`: run in a process of its own, beside the servers of its component.

Must not be imported by the serving process: it is started as `python -m executor.component.custom`, with what to load
on standard input.
"""

import json
import sys

from executor import errors
from executor.component import load
from executor.telemetry import logs


def main() -> int:
    """Makes the component and calls its `custom_service()` until that returns; the exit status."""
    asked = json.load(sys.stdin)
    logs.start(asked["log_level"], asked.get("log_format", "console"))
    try:
        made = load.component(asked["target"], asked["parameters"], imported=asked["imported"])
    except errors.Error as error:
        print(f"custom_service: {error}", file=sys.stderr)
        return 2
    made.custom_service()
    return 0


if __name__ == "__main__":
    sys.exit(main())
