"""The commands of `netsecgame remote certs`, their options and their help."""

# ruff: noqa: PLC0415 - cryptography takes a while to import

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from netsecgame.remote.certs import CertificateFacts

Folder: TypeAlias = Annotated[
    str, typer.Option("--dir", metavar="D", help="Folder of certificates and keys.")
]
Hosts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--host",
        metavar="NAME_OR_IP",
        help="Of the server; as often as it has names.",
        show_default="this machine for itself",
    ),
]
Days: TypeAlias = Annotated[int, typer.Option(min=1, help="How long it is valid.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Overwrite files.")]
Authority: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ca", metavar="D", help="Folder of the authority that signs.", show_default="--dir"
    ),
]

_DAYS = 365

certs = typer.Typer(
    help="Certificates of a server and its clients, of an authority of your own.",
    invoke_without_command=True,
)


@certs.callback(epilog="Example: netsecgame remote certs init --host trainer.lab --dir certs")
def _show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@certs.command(epilog="Example: netsecgame remote certs init --host trainer.lab --dir certs")
def init(*, folder: Folder, host: Hosts = None, days: Days = _DAYS, force: Force = False) -> int:
    """Make an authority, and certificates of a server and a client."""
    from netsecgame.remote.certs import init as make_all

    made = make_all(folder, host or (), days=days, force=force)
    _print_made(made.certificates())
    return 0


@certs.command(epilog="Example: netsecgame remote certs server --host b.lab --dir b --ca certs")
def server(
    *,
    folder: Folder,
    host: Hosts = None,
    ca: Authority = None,
    days: Days = _DAYS,
    force: Force = False,
) -> int:
    """Make a certificate of a server."""
    from netsecgame.remote.certs import make_server_certificate

    made = make_server_certificate(folder, host or (), authority=ca, days=days, force=force)
    _print_made([made.server])
    return 0


@certs.command(epilog="Example: netsecgame remote certs client --host alice --dir alice --ca certs")
def client(
    *,
    folder: Folder,
    host: Annotated[
        str,
        typer.Option("--host", metavar="NAME", help="By what the server knows the client."),
    ] = "client",
    ca: Authority = None,
    days: Days = _DAYS,
    force: Force = False,
) -> int:
    """Make a certificate of a client."""
    from netsecgame.remote.certs import make_client_certificate

    made = make_client_certificate(folder, host, authority=ca, days=days, force=force)
    _print_made([made.client])
    return 0


@certs.command(epilog="Example: netsecgame remote certs show --dir certs")
def show(*, folder: Folder) -> int:
    """Tell whom the certificates are for, and until when."""
    from netsecgame.errors import RemoteConfigError
    from netsecgame.remote.certs import CertificateFolder, describe

    found = CertificateFolder(folder).certificates()
    if not found:
        raise RemoteConfigError(f"{folder}: there are no certificates")
    for path in found:
        typer.echo(_tell(describe(path)))
    return 0


def _print_made(paths: Iterable[Path]) -> None:
    from netsecgame.remote.certs import describe

    for path in paths:
        facts = describe(path)
        typer.echo(f"{path}: {_tell_names(facts)}, until {facts.not_after:%Y-%m-%d}")


def _tell(facts: CertificateFacts) -> str:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    state = ""
    if facts.not_after <= now:
        state = " EXPIRED"
    elif facts.not_before > now:
        state = " NOT YET VALID"
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (facts.not_before, facts.not_after))
    lines = [
        str(facts.path),
        f"  subject      {facts.subject}",
        f"  issuer       {facts.issuer}",
        f"  for          {_tell_names(facts)}",
        f"  valid        {first} to {last} UTC{state}",
        f"  sha256       {facts.fingerprint}",
    ]
    return "\n".join(lines)


def _tell_names(facts: CertificateFacts) -> str:
    names = ", ".join(facts.names)
    return names or ("an authority" if facts.is_authority else "no names (SANs)")
