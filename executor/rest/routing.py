"""Owns finding the route of a path: one look-up for an exact path, one per segment for a path with a name in it.

Must not know what a route does.
"""

import posixpath

from executor.protocol.table import RestTable, Route


class Router:
    """The routes of a table, ready to be found."""

    def __init__(self, table: RestTable) -> None:
        self._exact: dict[str, Route] = {}
        self._named: dict[tuple[str, str], Route] = {}
        for route in table.routes:
            before, brace, rest = route.path.partition("{")
            if brace:
                self._named[before, rest.partition("}")[2]] = route
            else:
                self._exact[route.path] = route

    def find(self, path: str) -> tuple[Route | None, str]:
        """The route of `path`, and the name that stands in it; None and empty when there is none."""
        route = self._exact.get(path)
        if route is not None:
            return route, ""
        start = path.find("/")
        while start >= 0:
            end = path.find("/", start + 1)
            name = path[start + 1 : end if end >= 0 else len(path)]
            if name not in ("", ".", ".."):
                route = self._named.get((path[: start + 1], path[end:] if end >= 0 else ""))
                if route is not None:
                    return route, name
            start = end
        return None, ""


def clean_path(path: str) -> str:
    """`path` without empty, `.` and `..` segments, as Seldon's router redirects to it."""
    if "//" not in path and "/." not in path:
        return path
    cleaned = "/" + posixpath.normpath(path).lstrip("/")
    return cleaned + "/" if path.endswith("/") and cleaned != "/" else cleaned
