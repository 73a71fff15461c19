"""Owns the running operator: what is watched, what a change means for whom, and the workers that look.

Must not know what a look does (`reconcile` does).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from operator_lite import kinds, names
from operator_lite.api import Api, ApiError
from operator_lite.config import Config
from operator_lite.kinds import NAMESPACE, OWNED, RESOURCE, Kind
from operator_lite.metrics import Labels, Metrics
from operator_lite.mirror import Mirror
from operator_lite.reconcile import SETTLE_S, Reconciler
from operator_lite.resource import CONTROLLER
from operator_lite.scope import Object
from operator_lite.work import Key, Queue

log = logging.getLogger(__name__)

WORKERS = 4
RESYNC_S = 600.0
"""All resources are looked at this often, whatever happens or does not."""


class Controller:
    """Watches, and looks. It is the `World` of its reconciler."""

    def __init__(
        self,
        api: Api,
        config: Config,
        metrics: Metrics,
        namespace: str = "",
        workers: int = WORKERS,
        resync_s: float = RESYNC_S,
        settle_s: float = SETTLE_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.queue = Queue()
        self._metrics = metrics
        self._resync_s = resync_s
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._workers = workers
        self._resources = Mirror(api, RESOURCE, self._resource_changed, namespace)
        self._owned = {
            kind: Mirror(api, kind, self._object_changed, namespace, names.ID, self._all_again) for kind in OWNED
        }
        self._namespaces = (
            Mirror(api, NAMESPACE, self._namespace_changed, "", CONTROLLER, self._all_again) if not namespace else None
        )
        self._reconciler = Reconciler(api, self, config, now, settle_s, self._stop)
        metrics.gauge("queue", "Resources that wait for a look.", lambda: {(): len(self.queue)})
        metrics.gauge("failing", "Resources whose last look failed.", lambda: {(): self.queue.failing})
        metrics.gauge("resources", "Resources, by state.", self._states, ("state",))
        metrics.gauge("lists", "Lists of all objects of a kind since the start.", self._lists, ("kind",))

    def use(self, config: Config) -> None:
        """Another configuration counts from now on."""
        self._reconciler.config = config
        self._all_again()

    # --- what is known of the cluster

    def resource(self, key: Key) -> Object | None:
        """A SeldonDeployment."""
        return self._resources.get(*key)

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace; none for an operator of one namespace, which has it to itself. Raises `ApiError`
        when they cannot be read: whose the resources are is not known then.
        """
        if self._namespaces is None:
            return {}
        trouble = self._namespaces.trouble
        if trouble is not None:
            raise ApiError(trouble.code, trouble.cause, f"left alone, it may be another operator's: {trouble.message}")
        found = self._namespaces.get("", name)
        return (found or {}).get("metadata", {}).get("labels") or {}

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """An object, if it is known of."""
        return self._owned[kind].get(namespace, name)

    def children(self, owner: str, namespace: str) -> list[Object]:
        """All objects that a resource takes care of, by its uid."""
        return [each for mirror in self._owned.values() for each in mirror.of_owner(owner)]

    def trouble(self, kind: Kind) -> ApiError | None:
        """Why nothing is known of a kind."""
        return self._owned[kind].trouble

    # --- what a change means

    def _resource_changed(self, old: Object | None, new: Object | None) -> None:
        # What we say of it ourselves is no reason to look: one that fails would come again at once each time.
        if old is None or new is None or _said(old) != _said(new):
            self.queue.add(kinds.place(new or old or {}))

    def _object_changed(self, old: Object | None, new: Object | None) -> None:
        for each in (old, new):
            owner = kinds.controller(each) if each else {}
            if each and owner.get("kind") == RESOURCE.name:
                self.queue.add((each["metadata"]["namespace"], owner["name"]))
            elif each:
                self._take_label(each)

    def _take_label(self, found: Object) -> None:
        """One without an owner may stand in the way of the resource that its label names."""
        key = (found["metadata"]["namespace"], (found["metadata"].get("labels") or {}).get(names.ID, ""))
        if self.resource(key) is not None:
            self.queue.add(key)

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        for each in self._resources.all():
            if each["metadata"]["namespace"] == name:
                self.queue.add(kinds.place(each))

    def _all_again(self) -> None:
        for each in self._resources.all():
            self.queue.add(kinds.place(each))

    # --- running

    def start(self) -> None:
        """Begins to watch, and to look as soon as it is known what there is."""
        for mirror in self._mirrors():
            self._begin(mirror.run, f"mirror {mirror.kind.name}")
        for number in range(self._workers):
            self._begin(self._work, f"worker {number}")
        self._begin(self._resync, "resync")

    def stop(self, within_s: float = 60.0) -> None:
        """Ends what goes on. Looks that have begun end between two changes; they are waited for so long."""
        ends = time.monotonic() + within_s
        self._stop.set()
        self.queue.stop()
        for mirror in self._mirrors():
            mirror.stop()
        for thread in self._threads:
            thread.join(max(ends - time.monotonic(), 0.0))

    @property
    def is_ready(self) -> bool:
        """Whether it is known what there is, and whose it is."""
        known = self._namespaces is None or self._namespaces.trouble is None
        return known and all(mirror.settled.is_set() for mirror in self._mirrors())

    @property
    def is_alive(self) -> bool:
        """Whether all that should go on does."""
        return all(thread.is_alive() for thread in self._threads)

    def _mirrors(self) -> list[Mirror]:
        found = [self._resources, *self._owned.values()]
        return [*found, self._namespaces] if self._namespaces is not None else found

    def _begin(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _resync(self) -> None:
        while not self._stop.wait(self._resync_s):
            self._all_again()

    def _work(self) -> None:
        for mirror in self._mirrors():
            while not mirror.settled.wait(0.1):
                if self._stop.is_set():
                    return
        while (key := self.queue.take()) is not None:
            self._look(key)

    def _look(self, key: Key) -> None:
        began = time.monotonic()
        after, failed, state = None, True, "error"
        try:
            result = self._reconciler.reconcile(key)
            after, failed, state = result.after, result.failed, result.state or "none"
        except ApiError as error:
            level = logging.INFO if error.code == 409 else logging.WARNING
            log.log(level, "%s/%s: %s", *key, error.message)
        except Exception:
            # One resource that nobody thought of must not hold up the others.
            log.exception("%s/%s: the look failed", *key)
        finally:
            self._metrics.looks.add("failed" if failed else state)
            self._metrics.seconds.add(time.monotonic() - began)
            self.queue.done(key, after, failed)

    def _states(self) -> dict[Labels, float]:
        found = Counter((each.get("status") or {}).get("state") or "none" for each in self._resources.all())
        return {(state,): count for state, count in found.items()}

    def _lists(self) -> dict[Labels, float]:
        return {(mirror.kind.name,): mirror.lists for mirror in self._mirrors()}


def _said(found: Object) -> tuple[object, ...]:
    """What of a resource its owner said."""
    meta = found["metadata"]
    named = ("uid", "generation", "labels", "annotations", "deletionTimestamp")
    return tuple(meta.get(name) for name in named)
