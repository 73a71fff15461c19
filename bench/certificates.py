"""Owns the certificate that servers show in the TLS scenarios: made on the spot, signed by a CA of the moment.

Must not know who uses it.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.processes import HOST

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Files:
    """PEM files: the CA's certificate, the server's and its key."""

    ca: str
    cert: str
    key: str


def make(folder: Path) -> Files:
    """A new CA, and a certificate for the host that all scenarios run on: P-256, as is usual now."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench CA")])
    names = [x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("localhost")]
    ca = _begun(root, root, authority).add_extension(x509.BasicConstraints(True, None), True)
    own = _begun(x509.Name([]), root, key).add_extension(x509.SubjectAlternativeName(names), True)
    files = Files(*(str(folder / name) for name in ("ca.crt", "server.crt", "server.key")))
    for path, builder in ((files.ca, ca), (files.cert, own)):
        Path(path).write_bytes(builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path(files.key).write_bytes(key.private_bytes(*form))
    return files


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    number = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, key.public_key(), number, now - DAY, now + DAY)
