"""An authority that signs certificates."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from netsecgame.errors import RemoteConfigError, missing_extra

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise missing_extra(error, "remote") from error

from netsecgame.remote.certificate_facts import is_authority, read_certificate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Clocks differ: a new certificate is valid since a while ago.
_CLOCK_SKEW: Final = timedelta(minutes=10)

#: Longest common name that X.509 allows.
_MAX_COMMON_NAME: Final = 64

_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?({_LABEL}\.)*{_LABEL}")

_SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Purpose(Enum):
    """What a certificate is good for."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


class Credentials(NamedTuple):
    """A certificate and its key, both as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate that signs others, with its key."""

    def __init__(self, certificate: x509.Certificate, key: _SigningKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def new(cls, days: int) -> Self:
        """One that nobody knows yet.

        Args:
            days: How long it is valid.

        Raises:
            RemoteConfigError: If that cannot be.
        """
        key = _new_key()
        # Two that have the same name are taken for one another.
        name = _common_name(f"netsecgame authority {x509.random_serial_number():x}"[:40])
        usage = _key_usage(signs_certificates=True)
        limits = x509.BasicConstraints(ca=True, path_length=0)
        builder = _begin(name, name, key.public_key(), days)
        builder = builder.add_extension(usage, critical=True).add_extension(limits, critical=True)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def open(cls, certificate_path: Path, key_path: Path) -> Self:
        """One in files; one of another tool is fine.

        Raises:
            RemoteConfigError: If they are not those of an authority.
        """
        certificate = read_certificate(certificate_path)
        if not is_authority(certificate):
            raise RemoteConfigError(f"{certificate_path} is not the certificate of an authority")
        try:
            key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise RemoteConfigError(f"{key_path}: no key can be read ({error})") from error
        if not isinstance(key, _SigningKey):
            raise RemoteConfigError(f"{key_path}: expected an elliptic curve or RSA key")
        if key.public_key() != certificate.public_key():
            raise RemoteConfigError(f"{key_path} is not the key of {certificate_path}")
        return cls(certificate, key)

    @property
    def credentials(self) -> Credentials:
        """Its own."""
        return _credentials(self.certificate, self._key)

    def sign(self, names: Sequence[x509.GeneralName], purpose: Purpose, days: int) -> Credentials:
        """A new key, and a certificate of it.

        Args:
            names: What it is for, as `read_hosts` gives them.
            purpose: Who uses it.
            days: How long it is valid, but no longer than the authority.

        Raises:
            RemoteConfigError: If that cannot be, or the authority has expired.
        """
        key = _new_key()
        first = str(names[0].value)
        common = first if len(first) <= _MAX_COMMON_NAME else "netsecgame"
        signer = self.certificate
        latest = signer.not_valid_after_utc
        builder = (
            _begin(_common_name(common), signer.subject, key.public_key(), days, latest)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose.value]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(_authority_key_identifier(signer), critical=False)
        )
        return _credentials(builder.sign(self._key, hashes.SHA256()), key)


def read_hosts(hosts: Sequence[str]) -> list[x509.GeneralName]:
    """Names and addresses of hosts as a certificate has them, each once.

    Raises:
        RemoteConfigError: If one is neither.
    """
    found: dict[str, x509.GeneralName] = {}
    for host in hosts:
        address = _read_address(host)
        name = _read_host_name(host) if address is None else str(address)
        found[name] = x509.DNSName(name) if address is None else x509.IPAddress(address)
    return list(found.values())


def _credentials(certificate: x509.Certificate, key: _SigningKey) -> Credentials:
    pem = serialization.Encoding.PEM
    form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Credentials(certificate.public_bytes(pem), key.private_bytes(pem, form, secret))


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    days: int,
    latest: datetime | None = None,
) -> x509.CertificateBuilder:
    if days < 1:
        raise RemoteConfigError(f"days: expected at least 1, got {days}")
    now = datetime.now(UTC)
    try:
        end = now + timedelta(days=days)
    except OverflowError:
        raise RemoteConfigError(f"days: {days} are too many") from None
    if latest is not None:
        if latest <= now:
            raise RemoteConfigError(f"the authority has expired on {latest:%Y-%m-%d}")
        end = min(end, latest)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        of_subject = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        key = certificate.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_subject.value)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _read_host_name(host: str) -> str:
    try:
        name = host.rstrip(".").lower()
        # What is ASCII already may have signs that the encoding refuses, such as * and _.
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise RemoteConfigError(f"expected the name or address of a host, got {host!r}")
    return name
