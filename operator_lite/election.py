"""Owns who of several operators leads: a Lease that one of them renews. Must not know what a leader does.

Clocks of machines differ, so nobody reads the time in the Lease: an operator looks whether the Lease changes, by its
own clock, and takes it when it has not for as long as it was given for. A leader that cannot renew it in time gives up
before that, so that there are never two.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from operator_lite.api import Api, ApiError
from operator_lite.kinds import LEASE
from operator_lite.scope import Object

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things may take, in seconds."""

    lease_s: float = 15.0
    """How long a leader that says nothing is taken to be alive."""
    renew_s: float = 10.0
    """How long a leader may fail to say so before it gives up."""
    retry_s: float = 2.0
    """Between two tries."""

    @property
    def request_s(self) -> float:
        """How long a request may take. A try is two: one that begins when a leader should give up is over before
        another may lead.
        """
        return (self.lease_s - self.renew_s) / 2.5


class Election:
    """One candidate."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        terms: Terms | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.leads = False
        self._api = api
        self._place = (namespace, name)
        self._terms = terms or Terms()
        self._clock = clock
        self._seen: Any = None
        self._seen_at = 0.0
        self._renewed_at = 0.0

    def win(self, stop: threading.Event) -> bool:
        """Waits until this one leads; False if `stop` came first."""
        while not stop.is_set():
            if self.step():
                log.info("%s leads now", self.identity)
                return True
            stop.wait(self._terms.retry_s)
        return False

    def hold(self, stop: threading.Event) -> bool:
        """Keeps the lead until `stop`; False if it was lost before."""
        while not stop.wait(self._pause()):
            if not self.step():
                log.error("%s leads no more", self.identity)
                return False
        return True

    def step(self) -> bool:
        """One try to get the lead, or to keep it; whether this one leads."""
        began = self._clock()
        try:
            taken = self._try()
        except ApiError as error:
            log.warning("the lease cannot be read or written: %s", error.message)
            taken = self.leads and self._clock() - self._renewed_at < self._terms.renew_s
        else:
            self._renewed_at = began
        self.leads = taken
        return taken

    def resign(self) -> None:
        """Gives the lead up, so that the next need not wait."""
        if not self.leads:
            return
        self.leads = False
        try:
            found = self._api.get(LEASE, *self._place)
            if found is not None and found["spec"].get("holderIdentity") == self.identity:
                self._api.replace({**found, "spec": {**found["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}})
        except ApiError as error:
            log.warning("the lease is not given back: %s", error.message)

    def _pause(self) -> float:
        """Until the next try; the last one comes when it is time to give up."""
        return max(min(self._terms.retry_s, self._renewed_at + self._terms.renew_s - self._clock()), 0.0)

    def _try(self) -> bool:
        found = self._api.get(LEASE, *self._place)
        try:
            if found is None:
                self._api.create(self._lease())
                return True
            if not self._may_take(found):
                return False
            self._api.replace({**found, "spec": self._spec(found["spec"])})
            return True
        except ApiError as error:
            if error.code == 409:  # Another was faster.
                return False
            raise

    def _may_take(self, found: Object) -> bool:
        """Whether the Lease is ours, or nobody's, or its holder has not said anything for too long."""
        spec = found["spec"]
        said = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if said != self._seen:
            self._seen, self._seen_at = said, self._clock()
        if spec.get("holderIdentity") in (self.identity, "", None):
            return True
        return self._clock() - self._seen_at >= float(spec.get("leaseDurationSeconds") or self._terms.lease_s)

    def _lease(self) -> Object:
        namespace, name = self._place
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": self._spec({})}

    def _spec(self, before: Object) -> Object:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changes = before.get("holderIdentity") != self.identity
        return {
            **before,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": round(self._terms.lease_s),
            "acquireTime": now if changes else before.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if changes and before else 0),
        }
