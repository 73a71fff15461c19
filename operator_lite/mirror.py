"""Owns a copy of all objects of one kind, kept up to date by list and watch. Must not say what a change means.

A list says all, and of which version it is; a watch then tells what changes after that version. Watches end all the
time, and go on where they ended. When the version is too old for that (410 Gone), all is listed anew, and what is no
longer there counts as deleted.
"""

import logging
import random
import threading
from collections.abc import Callable

from operator_lite.api import Api, ApiError, Stream, Unreachable
from operator_lite.backoff import Backoff
from operator_lite.kinds import Kind, controller, place
from operator_lite.scope import Object

log = logging.getLogger(__name__)

WATCH_S = (240, 300)
"""How long a watch goes; not the same for all, so that they do not all begin anew at once."""
RETRY_MOST_S = 30.0
OnChange = Callable[[Object | None, Object | None], None]
"""Is told what an object was, and what it is now; None where there was or is none."""


class Mirror:
    """The objects of a kind, in a namespace or in all."""

    def __init__(
        self,
        api: Api,
        kind: Kind,
        on_change: OnChange,
        namespace: str = "",
        labels: str = "",
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self.settled = threading.Event()
        """Set once it is known what there is, or why that cannot be known."""
        self.trouble: ApiError | None = None
        """Why the kind cannot be read."""
        self.lists = 0
        self._api = api
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._namespace = namespace
        self._labels = labels
        self._objects: dict[tuple[str, str], Object] = {}
        self._owned: dict[str, set[tuple[str, str]]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stream: Stream | None = None
        self._version = ""
        self._backoff = Backoff(most_s=RETRY_MOST_S)

    def get(self, namespace: str, name: str) -> Object | None:
        """One of them. It is shared: not to be changed."""
        with self._lock:
            return self._objects.get((namespace, name))

    def all(self) -> list[Object]:
        """All of them, shared likewise."""
        with self._lock:
            return list(self._objects.values())

    def of_owner(self, uid: str) -> list[Object]:
        """Those that an owner takes care of, shared likewise."""
        with self._lock:
            return [self._objects[key] for key in self._owned.get(uid, ())]

    def run(self) -> None:
        """Keeps the copy up to date until `stop`."""
        while not self._stop.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
                self._backoff.reset()
            except ApiError as error:
                self._failed(error)
                self._stop.wait(self._backoff.next())

    def stop(self) -> None:
        """Ends `run`."""
        self._stop.set()
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.close()

    def _list(self) -> None:
        found, version = self._api.items(self.kind, self._namespace, self._labels)
        self.lists += 1
        now = {place(each): each for each in found}
        before = self._replaced(now)
        self._version = version
        self._set_trouble(None)
        for key in sorted({*before, *now}):
            old, new = before.get(key), now.get(key)
            if old is None or new is None or _version(old) != _version(new):
                self._on_change(old, new)
        self.settled.set()

    def _replaced(self, now: dict[tuple[str, str], Object]) -> dict[tuple[str, str], Object]:
        """Takes `now` for all that there is; what there was."""
        with self._lock:
            before, self._objects, self._owned = self._objects, now, {}
            for key, each in now.items():
                self._owned.setdefault(_owner(each), set()).add(key)
        return before

    def _watch(self) -> None:
        seconds = random.randint(*WATCH_S)
        stream = self._api.watch(self.kind, self._version, seconds, self._namespace, self._labels)
        with self._lock:
            self._stream = stream
        if self._stop.is_set():
            stream.close()
        for what, found in stream:
            self._backoff.reset()
            self._take(what, found)

    def _take(self, what: str, found: Object) -> None:
        self._version = _version(found)
        if what == "BOOKMARK":
            return
        found = {"apiVersion": self.kind.api_version, "kind": self.kind.name, **found}
        key = place(found)
        with self._lock:
            old = self._objects.pop(key, None)
            if old is not None:
                self._owned.get(_owner(old), set()).discard(key)
            if what != "DELETED":
                self._objects[key] = found
                self._owned.setdefault(_owner(found), set()).add(key)
            elif old is not None and not self._owned.get(_owner(old)):
                self._owned.pop(_owner(old), None)
        self._on_change(old, None if what == "DELETED" else found)

    def _failed(self, error: ApiError) -> None:
        if self._stop.is_set():
            return
        if error.code == 410:
            log.info("%s: the watch is too far behind, all is listed anew", self.kind)
            self._version = ""
        elif isinstance(error, Unreachable):
            log.info("%s: %s", self.kind, error.message)
        elif error.code in (403, 404) or (self.kind.is_optional and not self.settled.is_set()):
            self._unreadable(error)
        else:
            log.warning("%s: %s", self.kind, error.message)
            self._version = ""

    def _unreadable(self, error: ApiError) -> None:
        """There is no such kind, or it is not ours to read: what is known of it is no more."""
        if self.trouble is None:
            log.log(logging.INFO if error.code == 404 else logging.WARNING, "%s: %s", self.kind, error.message)
        self._version = ""
        # Said before it is so: nobody may take what is not known for what is not there.
        self._set_trouble(error)
        before = self._replaced({})
        for each in before.values():
            self._on_change(each, None)
        self.settled.set()

    def _set_trouble(self, error: ApiError | None) -> None:
        changed = (self.trouble is None) != (error is None)
        self.trouble = error
        if changed:
            self._on_trouble()


def _version(found: Object) -> str:
    version: str = found["metadata"].get("resourceVersion", "")
    return version


def _owner(found: Object) -> str:
    uid: str = controller(found).get("uid", "")
    return uid
