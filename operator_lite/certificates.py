"""Owns the webhook's certificates: how they are made, read and checked, and when they are made anew.

Must not know where they are kept or who trusts them, nor read a clock.

All follows from what is kept and from the time, so that replicas come to the same without talking to each other. A new
CA takes over in three steps, with OVERLAP between them:

    1. it joins the old one in the bundle; what the old one signed still serves
    2. once everyone who asks has the bundle, it signs a new certificate
    3. once every replica serves that, the old one leaves the bundle
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE, LIFE = timedelta(days=730), timedelta(days=90)
RENEWED_AT = 2 / 3
"""The part of its life after which a certificate is made anew: there are months, or weeks, to notice that it fails."""
OVERLAP = timedelta(hours=1)
"""Replicas and API servers learn of a change within minutes."""
SKEW = timedelta(hours=1)
"""Certificates are valid from this long before they are made: clocks differ."""
AUTHORITIES_MAX = 5
BUNDLE, CA_KEY, CERT, KEY = "ca.crt", "ca.key", "tls.crt", "tls.key"
NAMES = (BUNDLE, CA_KEY, CERT, KEY)

_PEM = serialization.Encoding.PEM
_USAGE = dict.fromkeys(
    ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
     "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
)  # fmt: skip
_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True, slots=True)
class Keys:
    """What is kept, as PEM."""

    bundle: bytes
    """The CAs to trust, the newest first."""
    ca_key: bytes
    """The key of the newest."""
    cert: bytes
    """What is served with."""
    key: bytes

    @property
    def data(self) -> dict[str, bytes]:
        """By the names they are kept under."""
        return dict(zip(NAMES, (self.bundle, self.ca_key, self.cert, self.key), strict=True))


def renewed(kept: Mapping[str, bytes], hosts: Sequence[str], now: datetime, is_known: bool = True) -> Keys:
    """What should be kept from now on: the same, if nothing is due. What is missing or broken is made.

    `is_known` says whether those who ask have been given the bundle that is kept.
    """
    authorities = [each for each in _bundle(kept.get(BUNDLE, b"")) if _lasts(each, now)]
    signer = _signer(authorities, _key(kept.get(CA_KEY, b"")), now)
    if signer is None:
        signer = _authority(now)
        authorities.insert(0, signer[0])
    served = _served(kept, authorities, hosts, now)
    if served is None or (_is_due(served[0], signer[0], now) and _may_sign(served[0], signer[0], now, is_known)):
        served = _signed(signer, hosts, now)
    if _is_by(served[0], signer[0]) and now - _made(served[0]) >= OVERLAP:
        authorities = [signer[0]]
    found = _ordered(authorities, signer[0])[:AUTHORITIES_MAX]
    bundle = b"".join(each.public_bytes(_PEM) for each in found)
    return Keys(bundle, _text(signer[1]), served[0].public_bytes(_PEM), _text(served[1]))


def until(keys: Keys) -> datetime:
    """When the certificate that is served ends."""
    return x509.load_pem_x509_certificate(keys.cert).not_valid_after_utc


def _is_due(cert: x509.Certificate, authority: x509.Certificate, now: datetime) -> bool:
    return _is_old(cert, now) or not _is_by(cert, authority)


def _may_sign(cert: x509.Certificate, authority: x509.Certificate, now: datetime, is_known: bool) -> bool:
    """Whether what the authority signs is trusted already."""
    return _is_by(cert, authority) or (is_known and now - _made(authority) >= OVERLAP)


def _signer(authorities: list[x509.Certificate], key: ec.EllipticCurvePrivateKey | None, now: datetime) -> _Pair | None:
    """The CA that the key belongs to, if it may go on."""
    found = [each for each in authorities if key is not None and each.public_key() == key.public_key()]
    return (found[0], key) if found and key is not None and not _is_old(found[0], now) else None


def _served(
    kept: Mapping[str, bytes], authorities: Collection[x509.Certificate], hosts: Sequence[str], now: datetime
) -> _Pair | None:
    """What is kept to serve with, if anyone would take it."""
    certs, key = _bundle(kept.get(CERT, b"")), _key(kept.get(KEY, b""))
    if not certs or key is None or certs[0].public_key() != key.public_key():
        return None
    is_good = _lasts(certs[0], now) and _hosts(certs[0]) == set(hosts)
    return (certs[0], key) if is_good and any(_is_by(certs[0], each) for each in authorities) else None


# --- looking at certificates


def _lasts(cert: x509.Certificate, now: datetime) -> bool:
    return cert.not_valid_before_utc <= now < cert.not_valid_after_utc


def _is_old(cert: x509.Certificate, now: datetime) -> bool:
    life = cert.not_valid_after_utc - _made(cert)
    return now >= _made(cert) + life * RENEWED_AT


def _made(cert: x509.Certificate) -> datetime:
    return cert.not_valid_before_utc + SKEW


def _is_by(cert: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _hosts(cert: x509.Certificate) -> set[str]:
    try:
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return set()
    return set(found.value.get_values_for_type(x509.DNSName))


def _ordered(authorities: list[x509.Certificate], first: x509.Certificate) -> list[x509.Certificate]:
    others = [each for each in authorities if each != first]
    return [first, *sorted(others, key=lambda each: each.not_valid_before_utc, reverse=True)]


def _bundle(text: bytes) -> list[x509.Certificate]:
    """The certificates in a text; none if it is broken."""
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        return []


def _key(text: bytes) -> ec.EllipticCurvePrivateKey | None:
    try:
        found = serialization.load_pem_private_key(text, None)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def _text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


# --- making them


def _authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Each has a name of its own, so that the two of a bundle cannot be taken for each other.
    name = _name(f"millrace-webhook-ca-{identity.digest.hex()[:12]}")
    usage = x509.KeyUsage(**{**_USAGE, "key_cert_sign": True, "crl_sign": True})
    builder = _builder(name, name, key, now, now + CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key


def _signed(authority: _Pair, hosts: Sequence[str], now: datetime) -> _Pair:
    cert, ca_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    identity = cert.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    ends = min(now + LIFE, cert.not_valid_after_utc)
    builder = _builder(_name("millrace-webhook"), cert.subject, key, now, ends)
    found = (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(**{**_USAGE, "digital_signature": True}), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity), False),
        (x509.SubjectAlternativeName([x509.DNSName(each) for each in hosts]), False),
    )
    for extension, critical in found:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(ca_key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - SKEW).not_valid_after(ends)
    return builder.add_extension(identity, critical=False)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
