"""What a certificate says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.errors import RemoteConfigError, missing_extra

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
except ImportError as error:
    raise missing_extra(error, "remote") from error

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate says.

    Attributes:
        path: Its file.
        subject: Whose it is, as RFC 4514 has it: ``CN=trainer.lab``.
        issuer: Who signed it.
        names: Host names and addresses it is for.
        not_before: First moment it is valid.
        not_after: Last moment it is valid.
        is_authority: Whether it may sign others.
        fingerprint: SHA-256, as hexadecimal digits.
    """

    path: Path
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    is_authority: bool
    fingerprint: str


def describe(path: str | Path) -> CertificateFacts:
    """What a certificate in a PEM file says; the first one if there are several.

    Raises:
        RemoteConfigError: If it cannot be read.
    """
    certificate = read_certificate(Path(path))
    return CertificateFacts(
        path=Path(path),
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=_names_in(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        is_authority=is_authority(certificate),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate may sign others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return found.value.ca


def _names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found.value)


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in a PEM file.

    Raises:
        RemoteConfigError: If there is none.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise RemoteConfigError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RemoteConfigError(f"{path}: no certificate can be read ({error})") from error
