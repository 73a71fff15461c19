"""Owns who is who in a test's cluster: its CA, the API server's certificate, client certificates, kubeconfig files.

Must not start anything. What a name may do is for the cluster's own rules (RBAC) to say.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
ADMIN = ("millrace-admin", "system:masters")


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form))
    return path


class Credentials:
    """All of one cluster, as files in a folder."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.server = server
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "millrace-envtest")])
        extensions = [
            x509.BasicConstraints(True, None),
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()),
        ]
        certificate = self._sign(self._name, self._key, *extensions)
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.ca_key = _write_key(folder / "ca.key", self._key)
        self.accounts_key = _write_key(folder / "accounts.key", ec.generate_private_key(ec.SECP256R1()))

    def serving(self, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key of a server with these names and addresses."""
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        return self._pair("server", [], x509.SubjectAlternativeName(names), ExtendedKeyUsageOID.SERVER_AUTH)

    def user(self, name: str, group: str | None = None) -> Path:
        """A kubeconfig for a user of this name, by certificate."""
        group_names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        certificate, key = self._pair(name, group_names, None, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._kubeconfig(name, {"client-certificate": str(certificate), "client-key": str(key)})

    def bearer(self, name: str, token: str, namespace: str = "default") -> Path:
        """A kubeconfig for whom a token names."""
        return self._kubeconfig(name, {"token": token}, namespace)

    def _pair(
        self, name: str, more: list[x509.NameAttribute[str]], san: x509.SubjectAlternativeName | None,
        usage: x509.ObjectIdentifier,
    ) -> tuple[Path, Path]:  # fmt: skip
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), *more])
        extensions = [x509.ExtendedKeyUsage([usage]), *([san] if san else [])]
        path = self.folder / f"{name.replace(':', '-')}.crt"
        path.write_bytes(self._sign(subject, key, *extensions).public_bytes(serialization.Encoding.PEM))
        return path, _write_key(path.with_suffix(".key"), key)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - DAY).not_valid_after(now + DAY)
        for extension in extensions:
            builder = builder.add_extension(extension, isinstance(extension, x509.BasicConstraints))
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(issuer, False).sign(self._key, hashes.SHA256())

    def _kubeconfig(self, name: str, user: dict[str, str], namespace: str = "default") -> Path:
        content: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "envtest",
            "clusters": [
                {"name": "envtest", "cluster": {"server": self.server, "certificate-authority": str(self.ca)}}
            ],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "envtest", "context": {"cluster": "envtest", "user": name, "namespace": namespace}}],
        }
        path = self.folder / f"{name.replace(':', '-').replace('/', '-')}.kubeconfig"
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)
        return path
