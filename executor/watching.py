"""Owns the settings of what people watch a process with: its log, its page and the port that both may have.

Must not serve nor log.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watch:
    """How a process can be watched."""

    log_format: str = "console"
    """console or json."""
    access_log: bool = False
    """Whether the log has a line for every request, not only for those that fail."""
    page: bool = True
    """Whether there is a page that shows the graph at work."""
    admin_host: str = "127.0.0.1"
    admin_port: int | None = None
    """Where page, metrics and log level are, and then nowhere else; 0 takes a free port; None: page and metrics are on
    the REST port, and the log level cannot be changed."""
    scrapes_told: bool = True
    """Whether the access log has those, too, who ask the metrics port."""
