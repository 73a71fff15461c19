"""Owns one look at a resource: from what is written and what is there to what should be, and what is said of it.

Must not keep anything that a restart may not lose, nor know why it is asked to look.

A look starts from nothing but the key, so it does not matter what happened, or was missed, before:

    read      not there, not ours, being deleted: nothing to do. Not right: the status says why, what runs stays.
    apply     claims, Services, Deployments, what scales them. What cannot be applied is a fault, and the rest goes on.
    route     once the pods can answer, and no sooner: `shares`.
    prune     what is no longer wanted, once everything wanted serves and routes had time to be heard of: `pruning`.
    status    how it all stands.

To apply is to say everything anew; the server changes what differs. An object is left out when it is as our last apply
left it: that saves a request, and is all that is remembered.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from executor.errors import ManifestError
from executor.manifest.seldon_shape import DeploymentModel
from operator_lite import desired, kinds, managed, plan, pruning, resource, shares, status
from operator_lite.api import ENDING, Api, ApiError, Unreachable
from operator_lite.config import Config
from operator_lite.desired import TRAFFIC
from operator_lite.events import Recorder
from operator_lite.kinds import Kind
from operator_lite.memory import Memory
from operator_lite.plan import Act
from operator_lite.scope import Object
from operator_lite.work import Key

SETTLE_S = 10.0
"""How long routes are given to be heard of by all gateways before what they led to goes."""
FAULT, REFUSED, IGNORED, WAY_KEPT = "InternalError", "Refused", "Ignored", "AnotherWayInKept"
HOLDING = frozenset({"Deployment", "Service"})
"""Kinds whose faults mean that what is wanted does not serve."""


class World(Protocol):
    """What is known of the cluster."""

    def resource(self, key: Key) -> Object | None:
        """A SeldonDeployment."""

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace, where they matter. Raises `ApiError` when they cannot be read."""

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """An object, if it is known of."""

    def children(self, owner: str, namespace: str) -> list[Object]:
        """All objects that a resource takes care of, by its uid."""

    def trouble(self, kind: Kind) -> ApiError | None:
        """Why nothing is known of a kind."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a look came to."""

    after: float | None = None
    """Seconds until the next look; None: when something changes."""
    failed: bool = False
    """Whether it did not go well, so that it is to be tried again."""
    state: str = ""


@dataclass(slots=True)
class Look:
    """What one look has found and done."""

    resource: Object
    observed: dict[tuple[str, str], Object]
    faults: dict[tuple[str, str], str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    confirmed: bool = False

    def confirm(self, api: Api) -> None:
        """Asks the server itself whether the resource is there still: our copy may be older than the news that its
        objects are gone, and they are not to come back. Raises `_Over`.
        """
        if not self.confirmed:
            fresh = api.get(kinds.of(self.resource), *kinds.place(self.resource))
            meta = (fresh or {}).get("metadata") or {}
            if meta.get("uid") != self.resource["metadata"]["uid"] or meta.get("deletionTimestamp"):
                raise _Over
            self.confirmed = True


class _Over(Exception):
    """There is nothing to do any more: the resource is not there, or another operator may lead."""


class Reconciler:
    """Brings resources to what they say."""

    def __init__(
        self,
        api: Api,
        world: World,
        config: Config,
        now: Callable[[], datetime],
        settle_s: float = SETTLE_S,
        stop: threading.Event | None = None,
    ) -> None:
        self._api = api
        self._stop = stop or threading.Event()
        """Once it is set, looks that go on change nothing more: the next one finds what is left to do."""
        self._world = world
        self.config = config
        """May be another from one look to the next."""
        self._now = now
        self._settle_s = settle_s
        self._events = Recorder(api, now)
        self._applied = Memory()

    def reconcile(self, key: Key) -> Result:
        """One look. Raises `ApiError` when the server cannot be asked."""
        found, config = self._world.resource(key), self.config
        if found is None or found["metadata"].get("deletionTimestamp"):
            self._applied.forget(key)
            return Result()
        if not resource.is_ours(found, config, self._world.namespace_labels(key[0])):
            return Result()
        try:
            return self._look(found, config)
        except _Over:
            return Result()

    def _look(self, found: Object, config: Config) -> Result:
        try:
            model = resource.read(found, config)
        except ManifestError as error:
            return self._refuse(found, resource.told(error))
        for each in resource.warnings(model):
            self._events.warn(found, IGNORED, each)
        return self._bring(found, model, config)

    @property
    def _writes(self) -> Api:
        """What a change is made with, in all its steps: each change asks anew. Raises `_Over`."""
        if self._stop.is_set():
            raise _Over
        return self._api

    def _refuse(self, found: Object, message: str) -> Result:
        self._events.warn(found, REFUSED, message)
        self._say(found, lambda it: status.refused(it, message, self._time()))
        return Result(state=status.FAILED)

    def _bring(self, found: Object, model: DeploymentModel, config: Config) -> Result:
        scopes = desired.scopes(model, config)
        wanted = [plan.owned(each, found) for each in desired.desired(scopes)]
        meta = found["metadata"]
        there = self._world.children(meta["uid"], meta["namespace"])
        look = Look(found, {kinds.key(each): each for each in there})
        for each in (each for each in wanted if each["kind"] not in TRAFFIC):
            self._apply(each, look)
        waiting = pruning.unready(scopes, look.observed.values(), look.faults)
        for each in (each for each in wanted if each["kind"] in TRAFFIC):
            if shares.may_change(each, look.observed.get(kinds.key(each)), waiting):
                self._apply(each, look)
        pause = self._prune(wanted, look)
        state = self._say(found, lambda it: status.status(
            it, scopes, wanted, look.observed.values(), self._time(), look.faults, look.absent
        ))  # fmt: skip
        return Result(pause, bool(look.faults), state)

    # --- apply

    def _apply(self, wanted: Object, look: Look) -> None:
        """Applies one object. What the server refuses is noted; that it cannot be asked ends the look."""
        kind, key = kinds.of(wanted), kinds.key(wanted)
        trouble = self._world.trouble(kind)
        if trouble is not None and trouble.code == 404:
            look.absent[kind.name] = f"the cluster has no {kind}"
            return
        if trouble is not None:
            self._fault(look, key, trouble.message)
            return
        try:
            live = self._world.find(kind, *kinds.place(wanted)) or self._api.get(kind, *kinds.place(wanted))
            done = self._brought(wanted, live, look)
        except Unreachable:
            raise
        except ApiError as error:
            if error.cause == ENDING:
                raise _Over from error
            self._fault(look, key, error.message)
        else:
            if done is not None:
                look.observed[key] = done

    def _brought(self, wanted: Object, live: Object | None, look: Look) -> Object | None:
        wanted = plan.fitted(wanted, live)
        step = plan.step(wanted, live)
        kind, name = kinds.key(wanted)
        if live is None:
            return self._made(wanted, look, "", self._writes)
        if step.act is Act.KEEP or (step.act is Act.APPLY and self._applied.is_same(wanted, live)):
            return live
        if step.act is Act.WAIT:
            look.observed.pop((kind, name), None)
            return None
        if step.act is Act.REFUSE:
            self._fault(look, (kind, name), step.why)
            return None
        writes = self._writes  # once for all steps: what is half done would stay so until another operator leads
        if step.act is Act.RECREATE:
            look.confirm(self._api)
            writes.delete(live)
            return self._made(wanted, look, step.why, writes)
        if step.act is Act.ADOPT:
            live = self._adopted(wanted, live, writes)
        if step.hands_over:
            live = writes.apply(managed.handed_over(live), managed.HANDOVER)
        done = writes.apply(wanted)
        self._applied.remember(wanted, done)
        if managed.said(done) != managed.said(live):  # its version may be another's doing
            self._events.did(look.resource, "Update", kind, name)
        return done

    def _made(self, wanted: Object, look: Look, why: str, writes: Api) -> Object:
        look.confirm(self._api)
        done = writes.apply(wanted)
        self._applied.remember(wanted, done)
        self._events.did(look.resource, "Create", *kinds.key(wanted), why)
        return done

    def _adopted(self, wanted: Object, live: Object, writes: Api) -> Object:
        """What Seldon's operator said of the object is ours from now on, so that what we do not say of it goes."""
        fields = plan.taken_over(wanted, live)
        if fields == live["metadata"].get("managedFields", []):
            return live
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": _version(live)}
        change = {"op": "replace", "path": "/metadata/managedFields", "value": fields}
        return writes.patch(live, [version, change])

    def _fault(self, look: Look, key: tuple[str, str], message: str) -> None:
        look.faults[key] = message
        self._events.warn(look.resource, FAULT, f"{key[0]} {key[1]}: {message}")

    # --- prune

    def _prune(self, wanted: list[Object], look: Look) -> float | None:
        """Deletes what may go; seconds until more may."""
        observed = list(look.observed.values())
        held = any(kind in HOLDING or kind in TRAFFIC for kind, _ in look.faults)
        serving = status.is_serving(wanted, observed) and not held
        pause = self._unsettled(wanted, look) if serving else 0.0
        ways, missing = pruning.ways_kept(wanted, observed)
        if ways and serving and not pause:
            self._warn_of_ways(ways, missing, look)
        going = pruning.obsolete(wanted, observed, serving and not pause)
        for each in going:
            if not each["metadata"].get("deletionTimestamp"):
                self._delete(each, look)
        return pause if pause and (ways or pruning.obsolete(wanted, observed, True)) else None

    def _warn_of_ways(self, ways: list[Object], missing: list[Object], look: Look) -> None:
        stays, awaited = (", ".join(" ".join(kinds.key(each)) for each in some) for some in (ways, missing))
        message = f"what TRAFFIC does not say is kept until what it says is accepted: {stays}, until {awaited}"
        self._events.warn(look.resource, WAY_KEPT, message)

    def _delete(self, gone: Object, look: Look) -> None:
        """Deletes one object. What the server refuses is noted, as when one is applied."""
        try:
            # Executors call nodes until they are gone, so their Deployment stays in sight until then.
            self._writes.delete(gone, wait_for_dependents=gone["kind"] == "Deployment")
        except Unreachable:
            raise
        except ApiError as error:
            self._fault(look, kinds.key(gone), error.message)
        else:
            self._applied.drop(gone)
            self._events.did(look.resource, "Delete", *kinds.key(gone))

    def _unsettled(self, wanted: list[Object], look: Look) -> float:
        """Seconds until the routes' last change has been heard of everywhere."""
        routes = [look.observed.get(kinds.key(each)) for each in wanted if each["kind"] in TRAFFIC]
        last = max((managed.changed_at(each) for each in routes if each), default="")
        if not last:
            return 0.0
        since = (self._now() - datetime.fromisoformat(last)) / timedelta(seconds=1)
        return min(max(self._settle_s - since, 0.0), self._settle_s)

    # --- status

    def _say(self, found: Object, said_of: Callable[[Object], Object]) -> str:
        """Writes the status; the state in it. What is known of the resource may be older than our own last word."""
        said = said_of(found)
        try:
            self._write(found, said)
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            fresh = self._api.get(kinds.of(found), *kinds.place(found))
            if fresh is not None and _same_words(fresh, found):
                said = said_of(fresh)
                self._write(fresh, said)
        state: str = said["state"]
        return state

    def _write(self, found: Object, said: Object) -> None:
        if found.get("status") != said:
            self._writes.replace({**found, "status": said}, "status")

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _version(found: Object) -> str:
    version: str = found["metadata"]["resourceVersion"]
    return version


def _same_words(one: Object, other: Object) -> bool:
    """Whether a resource still says what it said; if not, another look comes anyway."""
    return all(one["metadata"].get(name) == other["metadata"].get(name) for name in ("uid", "generation"))
