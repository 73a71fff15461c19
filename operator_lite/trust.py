"""Owns that the API server trusts the webhook: keys in a Secret that all replicas share, and their CAs in the webhook
configurations. Must not make certificates (`certificates` does), nor serve with them.

Every replica does the same: it looks, writes what is due against the version it has seen, and if another was faster it
looks again. The configurations get a new CA before anything that it signed is served.
"""

import base64
import binascii
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from operator_lite import certificates
from operator_lite.api import Api, ApiError
from operator_lite.backoff import Backoff
from operator_lite.certificates import Keys
from operator_lite.kinds import Kind
from operator_lite.scope import Object

log = logging.getLogger(__name__)

SECRET = Kind("v1", "Secret")
CONFIGURATIONS = tuple(
    Kind("admissionregistration.k8s.io/v1", name, namespaced=False)
    for name in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
)
LOOK_S = 5.0
RETRY_MOST_S = 30.0
TRIES = 5
"""Looks in a row while others write too."""
CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Place:
    """Where all of it is."""

    namespace: str
    service: str = "millrace-webhook"
    secret: str = "millrace-webhook-tls"
    configuration: str = "millrace-webhook"
    """The name of both configurations; one that is not there is nobody's to tell."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """What the API server may call the webhook."""
        within = f"{self.service}.{self.namespace}.svc"
        return within, f"{within}.cluster.local"


class Trust:
    """Keeps Secret and configurations, and says which keys to serve with."""

    def __init__(
        self,
        api: Api,
        place: Place,
        use: Callable[[Keys], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_s: float = LOOK_S,
    ) -> None:
        self.keys: Keys | None = None
        """What is served with."""
        self._api = api
        self._place = place
        self._use = use
        self._now = now
        self._look_s = look_s
        self._backoff = Backoff(most_s=RETRY_MOST_S)
        self._stop = threading.Event()

    def run(self) -> None:
        """Looks again and again, until `stop`."""
        while not self._stop.is_set():
            try:
                self.look()
                self._backoff.reset()
                pause = self._look_s
            except ApiError as error:
                log.warning("the webhook's certificates: %s", error.message)
                pause = self._backoff.next()
            self._stop.wait(pause)

    def stop(self) -> None:
        """Ends `run`."""
        self._stop.set()

    def look(self) -> None:
        """Brings all of it to what it should be now. Raises `ApiError`; what serves goes on serving then."""
        for _ in range(TRIES):
            try:
                return self._look()
            except ApiError as error:
                if error.code != CONFLICT:
                    raise
        raise ApiError(CONFLICT, "Conflict", "Secret or configurations are written by others all the time")

    def _look(self) -> None:
        found = [self._api.get(kind, "", self._place.configuration) for kind in CONFIGURATIONS]
        configurations = [each for each in found if each is not None]
        keys = self._kept(configurations)
        for each in configurations:
            self._tell(each, keys.bundle)
        if keys != self.keys:
            self._use(keys)
            self.keys = keys
            log.info("the webhook serves with a certificate until %s", certificates.until(keys).isoformat())

    # --- the Secret

    def _kept(self, configurations: Sequence[Object]) -> Keys:
        """What is in the Secret, once it is what it should be."""
        found = self._api.get(SECRET, self._place.namespace, self._place.secret)
        # A Secret that was deleted comes back as it was: the others serve with it.
        kept = _data(found) if found or self.keys is None else self.keys.data
        bundle = _encoded(kept.get(certificates.BUNDLE, b""))
        is_known = all(given == bundle for each in configurations for given in _given(each))
        wanted = certificates.renewed(kept, self._place.hosts, self._now(), is_known)
        if not found or wanted.data != {name: kept.get(name) for name in certificates.NAMES}:
            self._write(found, wanted)
        return wanted

    def _write(self, found: Object | None, keys: Keys) -> None:
        data = {name: _encoded(each) for name, each in keys.data.items()}
        if found:
            self._api.replace({**found, "data": {**(found.get("data") or {}), **data}})
            return
        meta = {"name": self._place.secret, "namespace": self._place.namespace,
                "labels": {"app.kubernetes.io/name": "millrace"}}  # fmt: skip
        kind = {"apiVersion": SECRET.api_version, "kind": SECRET.name, "type": "kubernetes.io/tls"}
        self._api.create({**kind, "metadata": meta, "data": data})

    # --- the configurations

    def _tell(self, found: Object, bundle: bytes) -> None:
        """Puts the bundle into a configuration that has another."""
        wanted = _encoded(bundle)
        if all(given == wanted for given in _given(found)):
            return
        told = [
            {**each, "clientConfig": {**(each.get("clientConfig") or {}), "caBundle": wanted}}
            for each in found["webhooks"]
        ]
        self._api.replace({**found, "webhooks": told})
        log.info("%s %s has the webhook's CA", found["kind"], found["metadata"]["name"])


def _given(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The bundle that each webhook of a configuration has now."""
    for each in configuration.get("webhooks") or []:
        yield (each.get("clientConfig") or {}).get("caBundle") or ""


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _data(found: Mapping[str, Any] | None) -> dict[str, bytes]:
    """What a Secret holds of ours; what is broken counts as missing."""
    data = (found or {}).get("data") or {}
    kept = {}
    for name in certificates.NAMES:
        try:
            kept[name] = base64.b64decode(data.get(name) or "", validate=True)
        except (binascii.Error, ValueError):
            continue
    return kept
