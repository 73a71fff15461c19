"""Owns the families of metrics: their names, types, labels and help, and how labels become a series' key.

Must not count anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seldon's bounds."""
WAITS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
QUANTILES = (0.5, 0.75, 0.9, 0.98, 0.99, 1.0)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Kind(Enum):
    """The type of a family, as expositions say it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Family:
    """One family. A counter's name ends with `_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    def key(self, *values: str) -> bytes:
        """The key of the series whose labels have these values, in the order of the labels."""
        return key(self.name, zip(self.labels, values, strict=True))


@dataclass(frozen=True, slots=True)
class Names:
    """What Seldon's families call the graph that is served."""

    deployment: str = ""
    predictor: str = ""
    version: str = ""


def key(name: str, labels: Iterable[tuple[str, str]]) -> bytes:
    """A series' key: how it is written in an exposition, without suffixes."""
    inside = ",".join(f'{label}="{value.translate(_ESCAPES)}"' for label, value in labels)
    return f"{name}{{{inside}}}".encode("utf-8", "replace")


def split_image(image: str) -> tuple[str, str]:
    """Name and tag of a container's image. A registry's port is no tag."""
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "")


def counted_image(image: str) -> tuple[str, str]:
    """The same as Seldon's executor counts it: one colon alone parts a name from a tag, whatever it is the colon of."""
    name, _, tag = image.partition(":")
    return (name, tag) if ":" not in tag else (image, "")


# --- Seldon's -------------------------------------------------------------------------------------------------

_OF = ("deployment_name", "predictor_name", "predictor_version")
_SERVER = (*_OF, "service", "method", "code")
_CLIENT = (*_OF, "service", "model_name", "model_image", "model_version", "method", "code")

SERVER = Family(
    "seldon_api_executor_server_requests_seconds",
    Kind.HISTOGRAM,
    "How long requests took, from their last byte until they were answered.",
    _SERVER,
    SECONDS,
)
SERVER_SUMMARY = Family(f"{SERVER.name}_summary", Kind.SUMMARY, "The same as quantiles of the last minutes.", _SERVER)
CLIENT = Family(
    "seldon_api_executor_client_requests_seconds", Kind.HISTOGRAM, "How long calls of nodes took.", _CLIENT, SECONDS
)
CLIENT_SUMMARY = Family(f"{CLIENT.name}_summary", Kind.SUMMARY, "The same as quantiles of the last minutes.", _CLIENT)

# --- ours -----------------------------------------------------------------------------------------------------

_NODE_SERVER = ("service", "method", "code")
NODE_SERVER = Family(
    "millrace_node_requests_seconds", Kind.HISTOGRAM, "How long requests of this node took.", _NODE_SERVER, SECONDS
)
NODE_SERVER_SUMMARY = Family(
    "millrace_node_requests_quantile_seconds", Kind.SUMMARY, "The same as quantiles of the last minutes.", _NODE_SERVER
)

_NODE = ("model_name",)
NODE_IN_FLIGHT = Family("millrace_node_calls_in_flight", Kind.GAUGE, "Calls of a node that are under way.", _NODE)
NODE_QUEUE = Family(
    "millrace_node_queue_seconds",
    Kind.HISTOGRAM,
    "How long calls of a node waited for a connection or a thread.",
    _NODE,
    WAITS,
)
NODE_SENT = Family("millrace_node_sent_bytes_total", Kind.COUNTER, "Bytes of messages to a node.", _NODE)
NODE_RECEIVED = Family("millrace_node_received_bytes_total", Kind.COUNTER, "Bytes of a node's answers.", _NODE)
NODE_RETRIES = Family("millrace_node_retries_total", Kind.COUNTER, "Calls of a node that were sent again.", _NODE)
NODE_CRITICAL = Family(
    "millrace_node_critical_path_seconds_total",
    Kind.COUNTER,
    "Time in calls of a node that predictions waited for: of nodes called at once, the one that answered last.",
    _NODE,
)
NODE_CONNECTIONS = Family(
    "millrace_node_connections", Kind.GAUGE, "Connections to a node.", (*_NODE, "address", "state")
)
COPIES = Family(
    "millrace_payload_copies_total",
    Kind.COUNTER,
    "Copies of payloads, by the node that they were for.",
    (*_NODE, "reason"),
)
COPIED = Family("millrace_payload_copied_bytes_total", Kind.COUNTER, "Bytes of those copies.", (*_NODE, "reason"))
PULLS = Family(
    "millrace_router_pulls_total",
    Kind.COUNTER,
    "Requests that a learning router sent to a branch.",
    (*_NODE, "branch"),
)
REWARDS = Family("millrace_router_rewards_total", Kind.COUNTER, "Rewards that a branch was given.", (*_NODE, "branch"))
REWARD_MEAN = Family(
    "millrace_router_reward_mean", Kind.GAUGE, "Mean of all rewards of a branch that are kept.", (*_NODE, "branch")
)
CHANCE = Family("millrace_router_chance", Kind.GAUGE, "A branch's chance to get the next request.", (*_NODE, "branch"))
IN_FLIGHT = Family("millrace_requests_in_flight", Kind.GAUGE, "Requests that are under way.")
REJECTED = Family(
    "millrace_requests_rejected_total", Kind.COUNTER, "Requests that were refused or given up.", ("reason",)
)
PAYLOADS = Family("millrace_payloads_total", Kind.COUNTER, "Payloads for the log of payloads.", ("result",))
SPANS = Family("millrace_spans_total", Kind.COUNTER, "Finished spans of traces.", ("result",))
SPANS_WAITING = Family("millrace_spans_waiting", Kind.GAUGE, "Spans that wait to be sent.")
PAYLOADS_WAITING = Family("millrace_payloads_waiting", Kind.GAUGE, "Payloads that wait to be sent to their log.")
MEMORY = Family("millrace_memory_budget_bytes", Kind.GAUGE, "Memory for messages under way.", ("state",))
MEMORY_WAITING = Family("millrace_memory_waiting_requests", Kind.GAUGE, "Requests that wait for memory.")
CONNECTIONS = Family("millrace_connections", Kind.GAUGE, "Connections of clients.", ("front",))
WORKERS = Family("millrace_workers", Kind.GAUGE, "Processes that serve.")
RESTARTS = Family("millrace_worker_restarts_total", Kind.COUNTER, "Workers started in the place of one that ended.")
RELOADS = Family("millrace_reloads_total", Kind.COUNTER, "Graphs loaded in the place of another.", ("result",))
DROPPED = Family(
    "millrace_metrics_dropped_total",
    Kind.COUNTER,
    "Values of metrics that were not counted, and series for which there was no room.",
    ("reason",),
)
BUILD = Family("millrace_build_info", Kind.GAUGE, "What is running.", ("version", "python"))
CPU = Family("process_cpu_seconds_total", Kind.COUNTER, "CPU time of all processes of the group.")
RESIDENT = Family("process_resident_memory_bytes", Kind.GAUGE, "Resident memory of all processes of the group.")
FDS = Family("process_open_fds", Kind.GAUGE, "Open file descriptors of all processes of the group.")

FAMILIES = {
    family.name: family
    for family in (
        *(SERVER, SERVER_SUMMARY, CLIENT, CLIENT_SUMMARY, NODE_SERVER, NODE_SERVER_SUMMARY),
        *(NODE_IN_FLIGHT, NODE_QUEUE, NODE_SENT, NODE_RECEIVED, NODE_RETRIES, NODE_CRITICAL),
        *(NODE_CONNECTIONS, COPIES, COPIED, SPANS, SPANS_WAITING),
        *(PULLS, REWARDS, REWARD_MEAN, CHANCE, PAYLOADS, PAYLOADS_WAITING),
        *(IN_FLIGHT, REJECTED, MEMORY, MEMORY_WAITING, CONNECTIONS, WORKERS, RESTARTS, RELOADS, DROPPED, BUILD),
        *(CPU, RESIDENT, FDS),
    )
}
"""Those that are ours to define, by name; what components count comes beside them."""

REASONS = ("in flight", "queue", "deadline", "message", "connections", "slow", "unread")
"""Of REJECTED, in the order of `_native/meters`."""
COPY_REASONS = ("transcoded", "aligned", "shared", "contiguous", "inflated", "bytes")
"""Of COPIES, in the order of `_native/copies`."""
