"""Owns certificates for tests: CAs of the moment, and pairs of certificate and key that they sign, as PEM files.

Must not know what they are used for.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from executor.settings import NodeTlsSettings, TlsSettings

DAY = datetime.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key."""

    cert: str
    key: str

    @property
    def pem(self) -> tuple[bytes, bytes]:
        """Key and certificate, as grpcio takes them."""
        return Path(self.key).read_bytes(), Path(self.cert).read_bytes()


class Authority:
    """A CA; `file` holds its certificate."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(_name(name), _name(name), self._key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - DAY).not_valid_after(now + DAY)
        self._cert = builder.add_extension(x509.BasicConstraints(True, None), True).sign(self._key, hashes.SHA256())
        self.file = str(folder / f"{name}.crt")
        self.pem = self._cert.public_bytes(serialization.Encoding.PEM)
        Path(self.file).write_bytes(self.pem)

    def pair(self, name: str, host: str = "127.0.0.1", age: datetime.timedelta = DAY) -> Pair:
        """A new pair for a host: an address, or a name. `age` over two days has made it expire."""
        key = ec.generate_private_key(ec.SECP256R1())
        begins = datetime.datetime.now(datetime.UTC) - age
        builder = x509.CertificateBuilder(
            self._cert.subject, _name(name), key.public_key(), x509.random_serial_number(), begins, begins + 2 * DAY
        )
        san: x509.GeneralName
        try:
            san = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            san = x509.DNSName(host)
        signed = builder.add_extension(x509.SubjectAlternativeName([san]), False).sign(self._key, hashes.SHA256())
        pair = Pair(str(self._folder / f"{name}.crt"), str(self._folder / f"{name}.key"))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        Path(pair.cert).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        Path(pair.key).write_bytes(key.private_bytes(*form))
        return pair


class Scene:
    """A CA with a server's and a client's pair, and what the two ends are set up with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.server = self.authority.pair("server")
        self.client = self.authority.pair("client")
        self.ca = self.authority.file

    def serving(self, mutual: bool = False) -> TlsSettings:
        """For our servers."""
        return TlsSettings(self.server.cert, self.server.key, self.ca if mutual else None)

    def reaching(self, pair: Pair | None = None) -> NodeTlsSettings:
        """For our channels."""
        return NodeTlsSettings(self.ca, pair.cert if pair else None, pair.key if pair else None)

    def grpc_client(self, pair: Pair | None = None) -> grpc.ChannelCredentials:
        """For grpcio's channels."""
        key, cert = pair.pem if pair else (None, None)
        return grpc.ssl_channel_credentials(self.authority.pem, key, cert)

    def grpc_server(self, mutual: bool = False) -> grpc.ServerCredentials:
        """For grpcio's servers."""
        return grpc.ssl_server_credentials([self.server.pem], self.authority.pem if mutual else None, mutual)
