"""Tests `certificates`: what is made, when it is made anew, and that what is served is trusted all the way through."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import verification

from operator_lite import certificates
from operator_lite.certificates import CA_LIFE, LIFE, OVERLAP, Keys, renewed

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ("millrace-webhook.millrace-system.svc", "millrace-webhook.millrace-system.svc.cluster.local")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = renewed({}, HOSTS, START)


def trusted(cert: bytes, bundle: bytes, now: datetime, host: str = HOSTS[0]) -> bool:
    """Whether a client with the bundle takes the certificate for the host, by rules that are not ours."""
    store = verification.Store(x509.load_pem_x509_certificates(bundle))
    verifier = verification.PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(host))
    try:
        verifier.verify(x509.load_pem_x509_certificate(cert), [])
    except verification.VerificationError:
        return False
    return True


def serial(cert: bytes) -> int:
    return x509.load_pem_x509_certificate(cert).serial_number


def authorities(keys: Keys) -> list[int]:
    return [each.serial_number for each in x509.load_pem_x509_certificates(keys.bundle)]


def test_what_is_made_is_trusted_by_the_strict() -> None:
    assert all(trusted(FIRST.cert, FIRST.bundle, START, host) for host in HOSTS)
    assert not trusted(FIRST.cert, FIRST.bundle, START, "other.millrace-system.svc")
    assert not trusted(FIRST.cert, renewed({}, HOSTS, START).bundle, START)


def test_certificate_and_key_belong_together_and_a_ca_signs_no_other() -> None:
    cert = x509.load_pem_x509_certificate(FIRST.cert)
    assert load_pem_private_key(FIRST.key, None).public_key() == cert.public_key()
    (authority,) = x509.load_pem_x509_certificates(FIRST.bundle)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_clocks_may_differ_by_an_hour() -> None:
    assert trusted(FIRST.cert, FIRST.bundle, START - HOUR + timedelta(seconds=1))


@pytest.mark.parametrize("after", [timedelta(0), HOUR, 59 * DAY])
def test_nothing_changes_while_nothing_is_due(after: timedelta) -> None:
    assert renewed(FIRST.data, HOSTS, START + after) == FIRST


def test_the_certificate_is_made_anew_well_before_it_ends() -> None:
    now = START + LIFE * 0.67
    then = renewed(FIRST.data, HOSTS, now)
    assert serial(then.cert) != serial(FIRST.cert)
    assert (then.bundle, then.ca_key) == (FIRST.bundle, FIRST.ca_key)
    assert certificates.until(FIRST) - now > 29 * DAY
    assert certificates.until(then) == now + LIFE


def test_a_new_ca_takes_over_in_three_steps() -> None:
    now = START + CA_LIFE * 0.67
    old = renewed(FIRST.data, HOSTS, now - 60 * DAY)  # which has two months behind it, and another to go
    joined = renewed(old.data, HOSTS, now)
    assert len(authorities(joined)) == 2
    assert authorities(joined)[1:] == authorities(old)
    assert joined.ca_key != old.ca_key
    assert joined.cert == old.cert  # due itself, but nobody knows the new CA yet
    assert renewed(joined.data, HOSTS, now + OVERLAP - timedelta(seconds=1)) == joined
    assert renewed(joined.data, HOSTS, now + OVERLAP, is_known=False) == joined
    signed = renewed(joined.data, HOSTS, now + OVERLAP)
    assert signed.bundle == joined.bundle
    assert serial(signed.cert) != serial(joined.cert)
    assert renewed(signed.data, HOSTS, now + 2 * OVERLAP - timedelta(seconds=1)) == signed
    alone = renewed(signed.data, HOSTS, now + 2 * OVERLAP)
    assert authorities(alone) == authorities(signed)[:1]
    assert (alone.cert, alone.ca_key) == (signed.cert, signed.ca_key)


def test_for_ten_years_whoever_is_a_step_behind_trusts_and_is_trusted() -> None:
    # What is looked at once a week here is looked at each minute: so each step is due to be made when it may be.
    keys, now = FIRST, START
    seen = {serial(FIRST.cert)}
    for _ in range(10 * 52):
        now += 7 * DAY
        step = now
        while (after := renewed(keys.data, HOSTS, step)) != keys:
            assert trusted(keys.cert, after.bundle, step), "a replica that has not looked yet is not trusted"
            assert trusted(after.cert, keys.bundle, step), "an API server that was not told yet does not trust"
            keys = after
            seen.add(serial(after.cert))
            step += OVERLAP
        assert trusted(keys.cert, keys.bundle, step)
        assert certificates.until(keys) - step > 20 * DAY
    assert len(seen) > 50


BROKEN: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "no key": lambda data: {**data, "tls.key": b""},
    "another key": lambda data: {**data, "tls.key": renewed({}, HOSTS, START).key},
    "a key that is no key": lambda data: {**data, "tls.key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END"},
    "a CA as key": lambda data: {**data, "tls.key": data["ca.crt"]},
    "no certificate": lambda data: {key: data[key] for key in data if key != "tls.crt"},
    "a certificate of another": lambda data: {**data, "tls.crt": renewed({}, HOSTS, START).cert},
    "no bundle": lambda data: {**data, "ca.crt": b""},
    "a broken bundle": lambda data: {**data, "ca.crt": data["ca.crt"][:200]},
    "bytes": lambda data: dict.fromkeys(data, b"\xff\x00"),
    "nothing": lambda data: {},
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_made_anew_at_once(case: str) -> None:
    then = renewed(BROKEN[case](FIRST.data), HOSTS, START + DAY)
    assert trusted(then.cert, then.bundle, START + DAY)
    assert serial(then.cert) != serial(FIRST.cert)
    assert load_pem_private_key(then.key, None).public_key() == x509.load_pem_x509_certificate(then.cert).public_key()
    assert renewed(then.data, HOSTS, START + DAY) == then


@pytest.mark.parametrize("broken", [b"", b"x"])
def test_a_ca_whose_key_is_lost_stays_trusted_until_another_has_taken_over(broken: bytes) -> None:
    now = START + DAY
    then = renewed({**FIRST.data, "ca.key": broken}, HOSTS, now)
    assert then.cert == FIRST.cert
    assert trusted(then.cert, then.bundle, now)
    assert authorities(then)[1:] == authorities(FIRST)
    last = renewed(renewed(then.data, HOSTS, now + OVERLAP).data, HOSTS, now + 2 * OVERLAP)
    assert len(authorities(last)) == 1
    assert trusted(last.cert, last.bundle, now + 2 * OVERLAP)


def test_a_key_of_another_kind_counts_as_lost() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    text = key.private_bytes(pem, form, serialization.NoEncryption())
    then = renewed({**FIRST.data, "ca.key": text}, HOSTS, START)
    assert then.ca_key not in (text, FIRST.ca_key)


def test_other_hosts_need_another_certificate() -> None:
    then = renewed(FIRST.data, ("elsewhere.ns.svc",), START)
    assert trusted(then.cert, FIRST.bundle, START, "elsewhere.ns.svc")
    assert then.bundle == FIRST.bundle


def test_after_years_without_a_look_all_is_new() -> None:
    now = START + 2 * CA_LIFE
    then = renewed(FIRST.data, HOSTS, now)
    assert trusted(then.cert, then.bundle, now)
    assert len(authorities(then)) == 1


def test_a_bundle_does_not_grow_for_ever() -> None:
    data, now = FIRST.data, START
    for _ in range(10):
        data, now = renewed({**data, "ca.key": b""}, HOSTS, now).data, now + timedelta(minutes=1)
    assert data["ca.crt"].count(b"BEGIN CERTIFICATE") == certificates.AUTHORITIES_MAX
    assert trusted(data["tls.crt"], data["ca.crt"], now), "the one that signed what serves has to stay"
