"""The certificates of a server, read and checked before it listens."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grpc

from netsecgame.errors import RemoteConfigError
from netsecgame.remote.key_files import warn_about_open_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike


class ServerCredentials(NamedTuple):
    """How a server proves who it is, and whom it lets in.

    Attributes:
        grpc_credentials: For gRPC.
        are_mutual: Whether clients have to show a certificate, too.
    """

    grpc_credentials: grpc.ServerCredentials
    are_mutual: bool


def read_server_credentials(
    paths: Sequence[str | PathLike[str] | None] | None,
) -> ServerCredentials | None:
    """Read the files of a server; None is plaintext.

    Args:
        paths: Certificate, key, and the CA of the clients' certificates, or None in its place if
            clients need none.

    Raises:
        ValueError: If these are not three.
        FileNotFoundError: If one is not there.
        RemoteConfigError: If they do not fit together.
    """
    if paths is None:
        return None
    if isinstance(paths, str) or len(paths) != 3 or paths[0] is None or paths[1] is None:
        raise ValueError(
            "server_credentials_paths: expected None or (certificate, key, CA or None), "
            f"got {paths!r}"
        )
    certificate, key = Path(paths[0]), Path(paths[1])
    authority = None if paths[2] is None else Path(paths[2])
    pair = (key.read_bytes(), certificate.read_bytes())
    roots = None if authority is None else authority.read_bytes()
    _check(certificate, key, authority)
    warn_about_open_key(key)
    return ServerCredentials(
        grpc.ssl_server_credentials([pair], roots, require_client_auth=roots is not None),
        are_mutual=roots is not None,
    )


def _check(certificate: Path, key: Path, authority: Path | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, _refuse_password)
    except (ssl.SSLError, ValueError) as error:
        raise RemoteConfigError(
            f"{certificate} and {key}: expected a certificate and its key, both PEM ({error})"
        ) from error
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except ssl.SSLError as error:
            raise RemoteConfigError(f"{authority}: expected PEM certificates ({error})") from error


def _refuse_password() -> str:
    raise ValueError("keys with a password are not supported")
