"""Two programs that other projects' users know by name; they do what `remote` does.

``start_remote_environment`` hosts, ``start_environment_interaction`` plays.
"""

# ruff: noqa: PLC0415 - what is imported depends on what is asked for

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from netsecgame.cli import tell_errors
from netsecgame.cli.remote.commands import DEFAULT_PORT, DEFAULT_URL, Port, Url, quieten_grpc
from netsecgame.cli.running import run_app

if TYPE_CHECKING:
    from netsecgame.cli.remote.credentials import Paths

#: What is hosted if nobody says what.
_DEFAULT_TASK = "two_networks_small"

_Certificate: TypeAlias = Annotated[
    str | None, typer.Option("--root_certificate", metavar="F", help="Whom to trust, as PEM.")
]

_host = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_play = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def start_remote_environment() -> int:
    """The program of that name; returns the exit status."""
    return _run(_host, "start_remote_environment")


def start_environment_interaction() -> int:
    """The program of that name; returns the exit status."""
    return _run(_play, "start_environment_interaction")


def _run(app: typer.Typer, name: str) -> int:
    quieten_grpc()
    return tell_errors(lambda: run_app(app, sys.argv[1:], name))


@_host.command(epilog="Example: start_remote_environment -u 127.0.0.1 -p 56765 --entrypoint e.py")
def host(
    *,
    url: Annotated[
        str, typer.Option("--url", "-u", help="Host name or address to listen on.")
    ] = DEFAULT_URL,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65_535, help="0 takes a free one.")
    ] = DEFAULT_PORT,
    root_certificate: _Certificate = None,
    server_certificate: Annotated[
        str | None, typer.Option("--server_certificate", metavar="F", help="As PEM.")
    ] = None,
    server_private_key: Annotated[
        str | None, typer.Option("--server_private_key", metavar="F", help="As PEM.")
    ] = None,
    entrypoint: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help="FILE.py, or package.module:function.",
            show_default=f"the game, task {_DEFAULT_TASK}",
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Plaintext to other machines is meant that way.")
    ] = False,
) -> int:
    """Host an environment until Ctrl-C; the same as `netsecgame remote serve`."""
    from netsecgame.cli.remote import serving
    from netsecgame.cli.remote.credentials import check_plaintext

    credentials = _of_server(server_certificate, server_private_key, root_certificate)
    if credentials is None:
        check_plaintext(url, insecure=insecure)
    options: dict[str, object] = {}
    if entrypoint is None:
        args = serving.args_of_task(_DEFAULT_TASK, "Attacker")
        if serving.read_options({}, None).allowed_kwargs is None:
            options["allowed_kwargs"] = serving.GAME_KWARGS
    else:
        args = serving.args_of_entrypoint(entrypoint, None, None, None)
    return serving.serve_until_stopped(args, url, port, credentials, options)


@_play.command(epilog="Example: start_environment_interaction -u 127.0.0.1 -p 56765")
def interact(
    *,
    url: Url = DEFAULT_URL,
    port: Port = DEFAULT_PORT,
    root_certificate: _Certificate = None,
    client_certificate: Annotated[
        str | None, typer.Option("--client_certificate", metavar="F", help="As PEM.")
    ] = None,
    client_private_key: Annotated[
        str | None, typer.Option("--client_private_key", metavar="F", help="As PEM.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many to play.")] = 5,
    seed: Annotated[
        int | None, typer.Option(help="Of environment and agent.", show_default="drawn")
    ] = None,
    render: Annotated[bool, typer.Option("--render", help="Show frames in a window.")] = False,
) -> int:
    """Let a random agent play; the same as `netsecgame remote play`."""
    from netsecgame.cli.remote.credentials import Place
    from netsecgame.cli.remote.playing import play_episodes

    credentials = _of_client(root_certificate, client_certificate, client_private_key)
    return play_episodes(Place(url, port, credentials), episodes, seed, renders=render)


def _of_server(certificate: str | None, key: str | None, root: str | None) -> Paths | None:
    _check_pair("--server_certificate", certificate, "--server_private_key", key)
    if certificate is None and root is not None:
        _miss("--server_certificate", "--root_certificate")
    _check_files(certificate, key, root)
    return None if certificate is None else (certificate, key, root)


def _of_client(root: str | None, certificate: str | None, key: str | None) -> Paths | None:
    _check_pair("--client_certificate", certificate, "--client_private_key", key)
    if certificate is not None and root is None:
        _miss("--root_certificate", "--client_certificate")
    _check_files(root, certificate, key)
    return None if root is None else (root, certificate, key)


def _check_pair(flag: str, value: str | None, other: str, other_value: str | None) -> None:
    if value is None and other_value is not None:
        _miss(flag, other)
    if value is not None and other_value is None:
        _miss(other, flag)


def _miss(flag: str, given: str) -> None:
    raise typer.BadParameter(f"expected with {given}", param_hint=flag)


def _check_files(*paths: str | None) -> None:
    for path in paths:
        if path is not None and not Path(path).is_file():
            raise typer.BadParameter(f"there is no file {path}")
