"""Owns the option of the command line about how many processes serve, and what that is where nobody says it.

Must not start them: `executor.workers` does.
"""

import argparse
from dataclasses import replace

from executor import cpus, limits, options, state
from executor.settings import RunSettings


def add_run(parser: "argparse._ActionsContainer") -> None:
    """For a graph."""
    parser.add_argument("--workers", type=cpus.processes, metavar="N",
                        help="processes that serve; auto: by the CPU quota, which is the default where no component is"
                        " loaded (built-ins and endpoints only), else 1, since each process loads the components:"
                        " N times their memory, and each learns alone")  # fmt: skip


def add_node(parser: "argparse._ActionsContainer") -> None:
    """For one component."""
    parser.add_argument("--workers", type=cpus.processes, default=1, metavar="N",
                        help="processes that serve; each loads the component: N times its memory, and each"
                        " learns alone; auto: by the CPU quota (default 1)")  # fmt: skip


def settled(parsed: argparse.Namespace, settings: RunSettings, hosts: bool) -> RunSettings:
    """The settings of `millrace run` with its number of processes, which nobody gave; `hosts` says whether components
    run in them.

    It holds for as long as the program runs, whatever graphs come after.
    """
    if parsed.workers is not None or hosts or settings.state == state.MEMORY:
        return settings
    count = max(1, min(cpus.container_workers("", []), _budgets(parsed, settings)))
    return replace(settings, workers=count, limits=options.limits(parsed, count))


def _budgets(parsed: argparse.Namespace, settings: RunSettings) -> int:
    """How many processes the memory for messages is enough for, each with at least two of the largest."""
    whole = parsed.memory_budget or limits.memory() // 2
    return int(whole // (2 * limits.room(settings.limits.max_message_bytes)))
