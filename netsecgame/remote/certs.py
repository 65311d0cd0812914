"""Certificates for one server and its clients, signed by an authority of one's own.

All lie in one folder: ``ca.pem``, ``server.pem``, ``client.pem``, and each one's key beside it as
``…-key.pem``. Keys are of elliptic curve P-256, and only their owner can read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from netsecgame.errors import RemoteConfigError
from netsecgame.remote.authority import Authority, Credentials, Purpose, read_hosts
from netsecgame.remote.certificate_facts import CertificateFacts, describe, read_certificate
from netsecgame.remote.key_files import write_file

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEFAULT_CLIENT",
    "DEFAULT_DAYS",
    "LOCAL_HOSTS",
    "CertificateFacts",
    "CertificateFolder",
    "describe",
    "init",
    "make_authority",
    "make_client_certificate",
    "make_server_certificate",
]

#: Where a server is that nobody gave a name.
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "::1")

#: By what a server knows a client that nobody gave a name.
DEFAULT_CLIENT: Final = "client"

DEFAULT_DAYS: Final = 365


class CertificateFolder:
    """A folder with certificates and keys under their usual names."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def authority(self) -> Path:
        """The certificate that both sides trust."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """What signs; neither servers nor clients need it."""
        return self.folder / "ca-key.pem"

    @property
    def server(self) -> Path:
        """The server's certificate."""
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        """The server's key."""
        return self.folder / "server-key.pem"

    @property
    def client(self) -> Path:
        """The client's certificate."""
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        """The client's key."""
        return self.folder / "client-key.pem"

    def server_paths(self, *, mutual: bool) -> tuple[str, str, str | None]:
        """The `server_credentials_paths`.

        Args:
            mutual: Whether clients need certificates, too.

        Raises:
            RemoteConfigError: If a file is not there.
        """
        _check_present(self.server, self.server_key, *([self.authority] if mutual else []))
        return str(self.server), str(self.server_key), str(self.authority) if mutual else None

    def client_paths(self) -> tuple[str, str | None, str | None]:
        """The `client_credentials_paths`; without the client's own where it has none.

        Raises:
            RemoteConfigError: If the authority's certificate is not there, or one of the client's
                two files.
        """
        _check_present(self.authority)
        if not self.client.exists() and not self.client_key.exists():
            return str(self.authority), None, None
        _check_present(self.client, self.client_key)
        return str(self.authority), str(self.client), str(self.client_key)

    def certificates(self) -> list[Path]:
        """The certificates that are there."""
        return [path for path in (self.authority, self.server, self.client) if path.exists()]


def init(
    folder: str | Path,
    hosts: Sequence[str] = (),
    *,
    days: int = DEFAULT_DAYS,
    force: bool = False,
) -> CertificateFolder:
    """Make an authority, and certificates for a server and a client.

    Args:
        folder: Where to; it is made if it is not there.
        hosts: Names and addresses of the server; this machine's own for itself without any.
        days: How long they are valid.
        force: Whether to write over what is there.

    Raises:
        RemoteConfigError: If a file is there and `force` is not set, or a host is none. Nothing is
            written then.
    """
    made = CertificateFolder(folder)
    names = read_hosts(hosts or LOCAL_HOSTS)
    if not force:
        _check_absent(made.authority, made.authority_key, made.server, made.server_key)
        _check_absent(made.client, made.client_key)
    authority = Authority.new(days)
    server = authority.sign(names, Purpose.SERVER, days)
    client = authority.sign(read_hosts([DEFAULT_CLIENT]), Purpose.CLIENT, days)
    _write(made.authority, made.authority_key, authority.credentials, force=force)
    _write(made.server, made.server_key, server, force=force)
    _write(made.client, made.client_key, client, force=force)
    return made


def make_authority(
    folder: str | Path, *, days: int = DEFAULT_DAYS, force: bool = False
) -> CertificateFolder:
    """Make the authority alone; what an older one signed is worth nothing with the new one.

    Raises:
        RemoteConfigError: If a file is there and `force` is not set.
    """
    made = CertificateFolder(folder)
    _write(made.authority, made.authority_key, Authority.new(days).credentials, force=force)
    return made


def make_server_certificate(
    folder: str | Path,
    hosts: Sequence[str] = (),
    *,
    authority: str | Path | None = None,
    days: int = DEFAULT_DAYS,
    force: bool = False,
) -> CertificateFolder:
    """Make a server's certificate and key.

    Args:
        folder: Where to.
        hosts: Names and addresses of the server; this machine's own for itself without any.
        authority: The folder of the authority, if it is another one; its certificate, not its key,
            is copied to `folder`.
        days: How long it is valid, but no longer than the authority.
        force: Whether to write over what is there.

    Raises:
        RemoteConfigError: If a file is there and `force` is not set, a host is none, or there is
            no authority.
    """
    made = CertificateFolder(folder)
    names = read_hosts(hosts or LOCAL_HOSTS)
    if not force:
        _check_absent(made.server, made.server_key)
    signed = _bring_authority(made, authority).sign(names, Purpose.SERVER, days)
    _write(made.server, made.server_key, signed, force=force)
    return made


def make_client_certificate(
    folder: str | Path,
    name: str = DEFAULT_CLIENT,
    *,
    authority: str | Path | None = None,
    days: int = DEFAULT_DAYS,
    force: bool = False,
) -> CertificateFolder:
    """Make a client's certificate and key.

    Args:
        folder: Where to.
        name: By what the server knows the client: a host name, an address or any such word.
        authority: As for `make_server_certificate`.
        days: How long it is valid, but no longer than the authority.
        force: Whether to write over what is there.

    Raises:
        RemoteConfigError: As `make_server_certificate`.
    """
    made = CertificateFolder(folder)
    names = read_hosts([name])
    if not force:
        _check_absent(made.client, made.client_key)
    signed = _bring_authority(made, authority).sign(names, Purpose.CLIENT, days)
    _write(made.client, made.client_key, signed, force=force)
    return made


def _bring_authority(made: CertificateFolder, folder: str | Path | None) -> Authority:
    """The authority; if it lies in another folder, its certificate is in this one afterwards."""
    if folder is None or Path(folder).resolve() == made.folder.resolve():
        return _open_authority(made)
    there = CertificateFolder(folder)
    authority = _open_authority(there)
    if not made.authority.exists():
        write_file(made.authority, authority.credentials.certificate)
    elif read_certificate(made.authority) != authority.certificate:
        raise RemoteConfigError(f"{made.authority} is not the certificate of {there.authority}")
    return authority


def _open_authority(folder: CertificateFolder) -> Authority:
    _check_present(folder.authority, folder.authority_key)
    return Authority.open(folder.authority, folder.authority_key)


def _write(path: Path, key_path: Path, made: Credentials, *, force: bool) -> None:
    if not force:
        _check_absent(path, key_path)
    write_file(key_path, made.key, is_secret=True, force=force)
    write_file(path, made.certificate, force=force)


def _check_present(*paths: Path) -> None:
    for path in paths:
        if not path.is_file():
            raise RemoteConfigError(f"there is no file {path}")


def _check_absent(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise RemoteConfigError(f"{path} is there already, and is not written over")
