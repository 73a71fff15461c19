"""Owns who gets which share of the requests, as routes say it, and whether a route may change yet.

Must not make routes (`gateway` and `istio` do).

The rule: nobody who is not ready gets more than before. So a new predictor waits for its pods, and one that broke can
be relieved at once.
"""

from collections.abc import Collection, Iterator
from typing import Any

from operator_lite.scope import Object

MIRRORED = 1000
"""A shadow's share: no weight, but requests all the same."""


def may_change(wanted: Object, live: Object | None, unready: Collection[str]) -> bool:
    """Whether the route may become what is wanted, while the Services `unready` have pods that are not ready."""
    before, after = shares(live or {}), shares(wanted)
    return not any(after.get(name, 0) > before.get(name, 0) for name in unready)


def shares(route: Object) -> dict[str, int]:
    """The largest share of each Service in a route of any kind."""
    found: dict[str, int] = {}
    for name, share in _shares(route.get("spec") or {}):
        found[name] = max(share, found.get(name, 0))
    return found


def _shares(spec: Object) -> Iterator[tuple[str, int]]:
    for rule in spec.get("rules") or []:
        for each in rule.get("backendRefs") or []:
            yield each["name"], each.get("weight", 1)
        for each in rule.get("filters") or []:
            if "requestMirror" in each:
                yield each["requestMirror"]["backendRef"]["name"], MIRRORED
    for rule in spec.get("http") or []:
        for each in rule.get("route") or []:
            yield _service(each["destination"]), each.get("weight", 100)
        if rule.get("mirror"):
            yield _service(rule["mirror"]), MIRRORED


def _service(destination: dict[str, Any]) -> str:
    host: str = destination["host"]
    return host.split(".")[0]
