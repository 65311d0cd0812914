"""Where a server is and how to speak to it, from flags."""

from __future__ import annotations

import json
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import typer

from netsecgame.errors import RemoteConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Hosts that only this machine can reach under that name, and that need no TLS therefore.
LOOPBACK = ("localhost", "127.0.0.1", "::1")

Paths = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Place:
    """A server, and what to play there.

    Attributes:
        url: Its host.
        port: Its port.
        credentials: CA, client certificate and key; None is plaintext.
        remote_args: What the server is to make.
        options: Of the client.
    """

    url: str
    port: int
    credentials: Paths | None = None
    remote_args: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def find_place(
    url: str,
    port: int,
    certs: str | None,
    entrypoint: str | None = None,
    kwargs: str | None = None,
    *,
    insecure: bool = False,
) -> Place:
    """The place that flags tell.

    Raises:
        RemoteConfigError: If certificates are not there.
    """
    if certs is not None and insecure:
        raise typer.BadParameter("expected one of --certs and --insecure", param_hint="--certs")
    credentials: Paths | None = None
    if certs is not None:
        from netsecgame.remote.certs import CertificateFolder  # noqa: PLC0415 - for TLS only

        credentials = CertificateFolder(certs).client_paths()
    args: dict[str, Any] = {} if entrypoint is None else {"entrypoint": entrypoint}
    if kwargs is not None:
        args["entrypoint_kwargs"] = read_kwargs(kwargs)
    options = {"insecure": True} if insecure else {}
    return Place(url, port, credentials, args, options)


def credentials_of_server(
    url: str, certs: str | None, *, mutual: bool, insecure: bool
) -> Paths | None:
    """The `server_credentials_paths` that flags tell.

    Raises:
        RemoteConfigError: If certificates are not there, or there is no TLS where there should be.
    """
    if certs is None:
        if mutual:
            raise typer.BadParameter("expected --certs, too", param_hint="--mutual")
        check_plaintext(url, insecure=insecure)
        return None
    if insecure:
        raise typer.BadParameter("expected one of --certs and --insecure", param_hint="--certs")
    from netsecgame.remote.certs import CertificateFolder  # noqa: PLC0415 - for TLS only

    return CertificateFolder(certs).server_paths(mutual=mutual)


def check_plaintext(url: str, *, insecure: bool) -> None:
    """Refuse to serve plaintext to others unless it is meant that way.

    Raises:
        RemoteConfigError: If it is not.
    """
    if not insecure and url.rstrip(".").lower() not in LOOPBACK:
        raise RemoteConfigError(
            f"{url}: others can reach it, so it needs certificates (see netsecgame remote certs "
            "init), or --insecure for plaintext"
        )


def read_kwargs(text: str) -> dict[str, Any]:
    """The arguments of an entrypoint."""
    try:
        kwargs = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a JSON object ({error})", param_hint="--kwargs"
        ) from error
    if not isinstance(kwargs, dict):
        raise typer.BadParameter(f"expected a JSON object, got {text}", param_hint="--kwargs")
    return kwargs


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Tell warnings on stderr as people read them, without the line of the program."""

    def show(
        message: Warning | str,
        category: type[Warning],  # noqa: ARG001
        filename: str,  # noqa: ARG001
        lineno: int,  # noqa: ARG001
        file: TextIO | None = None,
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        print(f"warning: {message}", file=file or sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
