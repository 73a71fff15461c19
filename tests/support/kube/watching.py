"""Owns copies of what the API server holds, kept up to date by a thread each: list, then watch, again after an end.

Must not change anything there.
"""

import http.client
import threading
from collections.abc import Callable
from typing import Self

from support.kube.api import Api, Object, Refused

PAUSE_S = 0.3


class Watched:
    """The objects at a path. `changed` is called, on another thread, after each change."""

    def __init__(self, api: Api, path: str, changed: Callable[[], None] = lambda: None, **query: str) -> None:
        self._api = api
        self._path = path
        self._query = query
        self._changed = changed
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], Object] = {}
        self._listed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def start(self) -> Self:
        """Begins; waits until the first list is there."""
        self._thread.start()
        assert self._listed.wait(30), f"no list of {self._path}"
        return self

    @property
    def all(self) -> list[Object]:
        """What is there, in the order of names."""
        with self._lock:
            return [self._objects[key] for key in sorted(self._objects)]

    def get(self, namespace: str, name: str) -> Object | None:
        """One object."""
        with self._lock:
            return self._objects.get((namespace, name))

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._follow(self._list())
            except (OSError, ValueError, Refused, http.client.HTTPException):
                pause.wait(PAUSE_S)

    def _list(self) -> str:
        found = self._api.get(self._path, **self._query)
        with self._lock:
            self._objects = {_key(each): each for each in found["items"]}
        self._listed.set()
        self._changed()
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        for event in self._api.watch(self._path, version, **self._query):
            if event["type"] == "BOOKMARK":
                continue
            if event["type"] == "ERROR":  # too old: list again
                return
            key = _key(event["object"])
            with self._lock:
                if event["type"] == "DELETED":
                    self._objects.pop(key, None)
                else:
                    self._objects[key] = event["object"]
            self._changed()


def _key(found: Object) -> tuple[str, str]:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]
