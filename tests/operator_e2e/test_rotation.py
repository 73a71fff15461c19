"""Tests that the webhook's certificate and its CA are replaced on a real API server, and that it answers all the while.

Months pass by writing a Secret that is older. Whatever is waited for is waited for by applying.
"""

import base64
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from support.installed import NAME, NAMESPACE, Installed
from support.kube.api import decoded
from support.shops import sdep, wrong

from operator_lite.certificates import BUNDLE, CA_KEY, CA_LIFE, CERT, LIFE, OVERLAP, renewed
from operator_lite.trust import Place

PLACE = Place(NAMESPACE)
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{PLACE.secret}"
TRUSTED = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{PLACE.configuration}"
PORT = 4443
PATIENCE_S = 60.0
HOUR = OVERLAP + timedelta(minutes=1)


class Webhook:
    """That of the operator: what is kept, what the API server trusts, what replicas show; and it is asked to answer."""

    def __init__(self, installed: Installed, namespace: str) -> None:
        self._installed = installed
        self._api = installed.cluster.api
        self._namespace = namespace
        self._asked = 0

    def answers(self) -> None:
        """A good resource is taken and a bad one refused; Kubernetes refuses both when it cannot reach the webhook."""
        self._asked += 1
        good = sdep(
            {"name": "model", "implementation": "SIMPLE_MODEL"}, replicas=0, annotations={"n": str(self._asked)}
        )
        assert self._installed.apply(self._namespace, good)
        assert "MODLE" in self._installed.refused(self._namespace, wrong())

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits, and asks it on the way."""
        ends = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < ends, what
            self.answers()
        self.answers()

    @property
    def kept(self) -> dict[str, bytes]:
        """What the Secret holds."""
        return decoded(self._api.get(SECRET))

    def keep(self, **changed: bytes) -> None:
        """Writes the Secret: `ca_crt` is its ca.crt."""
        data = {name.replace("_", "."): base64.b64encode(each).decode() for name, each in changed.items()}
        self._api.patch(SECRET, {"data": data})

    @property
    def trusted(self) -> bytes:
        """The CAs that the API server was told."""
        (hook,) = self._api.get(TRUSTED)["webhooks"]
        return base64.b64decode(hook["clientConfig"]["caBundle"])

    @property
    def shown(self) -> set[bytes]:
        """The certificates that the replicas serve with."""
        pods = self._installed.pods(NAMESPACE)
        return {
            ssl.get_server_certificate((each["status"]["podIP"], PORT), timeout=10).encode() for each in pods
        }  # fmt: skip


@pytest.mark.timeout(400)
def test_certificate_and_ca_are_replaced_and_no_apply_fails(installed: Installed, namespace: str) -> None:
    installed.rolled_out(NAMESPACE, NAME)
    webhook = Webhook(installed, namespace)
    webhook.answers()
    before = {each["metadata"]["uid"] for each in installed.pods(NAMESPACE)}
    first, now = webhook.kept, datetime.now(UTC)
    made = renewed({}, PLACE.hosts, now - CA_LIFE * 0.68)
    old = renewed(made.data, PLACE.hosts, now - LIFE * 0.7)
    assert old.bundle == made.bundle

    webhook.keep(ca_crt=first[BUNDLE] + old.bundle)
    webhook.until(lambda: old.bundle in webhook.trusted, "the CA that was before is trusted")
    webhook.keep(ca_crt=old.bundle + first[BUNDLE], ca_key=old.ca_key, tls_crt=old.cert, tls_key=old.key)
    webhook.until(lambda: webhook.kept[CA_KEY] != old.ca_key, "a new CA is made, since the old one nears its end")
    webhook.until(lambda: webhook.trusted == webhook.kept[BUNDLE], "it is told")
    assert webhook.kept[CERT] == old.cert
    assert len(authorities(webhook.trusted)) == 3

    key, (newest, *others) = webhook.kept[CA_KEY], authorities(webhook.kept[BUNDLE])
    newest = older(newest, key)
    webhook.keep(ca_crt=newest + b"".join(others))
    webhook.until(lambda: webhook.kept[CERT] != old.cert, "an hour later it signs a new certificate")
    signed = webhook.kept[CERT]
    webhook.until(lambda: webhook.shown == {signed}, "both replicas serve with it")

    webhook.keep(tls_crt=older(signed, key))
    webhook.until(lambda: webhook.trusted == webhook.kept[BUNDLE] == newest, "an hour later it alone is trusted")
    webhook.until(lambda: webhook.shown == {webhook.kept[CERT]} != {signed}, "both serve with what is kept")
    assert {each["metadata"]["uid"] for each in installed.pods(NAMESPACE)} == before


def authorities(bundle: bytes) -> list[bytes]:
    """The certificates of a bundle."""
    return [each.public_bytes(Encoding.PEM) for each in x509.load_pem_x509_certificates(bundle)]


def older(pem: bytes, authority_key: bytes) -> bytes:
    """The same certificate, had it been made an hour before."""
    cert, key = x509.load_pem_x509_certificate(pem), load_pem_private_key(authority_key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    begins, ends = (each - HOUR for each in (cert.not_valid_before_utc, cert.not_valid_after_utc))
    builder = x509.CertificateBuilder(
        cert.issuer, cert.subject, cert.public_key(), cert.serial_number, begins, ends, list(cert.extensions)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
