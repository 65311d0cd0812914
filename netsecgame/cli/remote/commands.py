"""The commands of `netsecgame remote`, their options and their help."""

# ruff: noqa: PLC0415 - each command imports what only it needs, so that `--help` is quick

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

import typer

from netsecgame.cli.remote.certificate_commands import certs
from netsecgame.cli.remote.option_flags import read_given, with_server_options

DEFAULT_URL = "127.0.0.1"
DEFAULT_PORT = 56_765


class Role(StrEnum):
    """Whom a client of the game can be."""

    Attacker = "Attacker"
    Defender = "Defender"
    Benign = "Benign"


Url: TypeAlias = Annotated[str, typer.Option("--url", "-u", help="Host of the server.")]
Port: TypeAlias = Annotated[int, typer.Option("--port", "-p", min=1, max=65_535)]
ClientCerts: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--certs",
        metavar="DIR",
        help="Folder with ca.pem, and client.pem with its key if the server asks for them.",
        show_default="plaintext",
    ),
]
InsecureClient: TypeAlias = Annotated[
    bool, typer.Option("--insecure", help="Plaintext to another machine is meant that way.")
]
Entrypoint: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="E", help="One that the server allows.", show_default="the server's"),
]
Kwargs: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="Arguments of the entrypoint, e.g. '{\"level\": 2}'."),
]


def quieten_grpc() -> None:
    """Keep gRPC, which reads this when it is imported, from telling each failed handshake."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


remote = typer.Typer(
    help="Gymnasium environments on other machines, over gRPC.", invoke_without_command=True
)
remote.add_typer(certs, name="certs")


@remote.callback(epilog="Example: netsecgame remote serve --task two_networks_small")
def _begin(context: typer.Context) -> None:
    quieten_grpc()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@remote.command(epilog="Example: netsecgame remote serve --entrypoint my_env.py --certs certs")
@with_server_options
def serve(  # noqa: PLR0913 - one parameter an option
    *,
    task: Annotated[
        str | None, typer.Option(metavar="T", help="Host the game: a task file, or one's name.")
    ] = None,
    role: Annotated[
        Role | None,
        typer.Option(help="Of the learner, with --task.", show_default="Attacker"),
    ] = None,
    parallel: Annotated[
        bool, typer.Option("--parallel", help="With --task: all agents learn.")
    ] = False,
    entrypoint: Annotated[
        str | None,
        typer.Option(
            metavar="E", help="Host an own environment: FILE.py, or package.module:function."
        ),
    ] = None,
    kwargs: Kwargs = None,
    repo: Annotated[
        str | None, typer.Option(metavar="URL", help="The entrypoint is in this git repository.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(metavar="R", help="Branch, tag or commit in it.", show_default="its HEAD"),
    ] = None,
    url: Annotated[
        str, typer.Option("--url", "-u", help="Host name or address to listen on.")
    ] = DEFAULT_URL,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65_535, help="0 takes a free one.")
    ] = DEFAULT_PORT,
    certs: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder with server.pem and server-key.pem: TLS."),
    ] = None,
    mutual: Annotated[
        bool,
        typer.Option("--mutual", help="Clients need a certificate of ca.pem in that folder."),
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Plaintext to other machines is meant that way.")
    ] = False,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="TOML file with options of the server.")
    ] = None,
    **options: Any,
) -> int:
    """Host environments until SIGINT or SIGTERM; a second signal ends it at once."""
    from netsecgame.cli.remote import serving
    from netsecgame.cli.remote.credentials import credentials_of_server

    if task is not None and entrypoint is not None:
        raise typer.BadParameter("expected one of --task and --entrypoint", param_hint="--task")
    if task is None and (role is not None or parallel):
        raise typer.BadParameter("only --task has roles", param_hint="--task")
    if role is not None and parallel:
        raise typer.BadParameter("all roles learn with --parallel", param_hint="--role")
    if repo is not None and entrypoint is None:
        raise typer.BadParameter("expected --entrypoint, too", param_hint="--repo")
    given = read_given(options)
    will_have = serving.read_options(given, config)
    if certs is not None and will_have.clients is not None:
        mutual = True  # they are known by their certificates
    credentials = credentials_of_server(url, certs, mutual=mutual, insecure=insecure)
    if task is None:
        args = serving.args_of_entrypoint(entrypoint, kwargs, repo, reference)
    else:
        args = serving.args_of_task(task, role or Role.Attacker, kwargs, is_parallel=parallel)
        if will_have.allowed_kwargs is None:
            given["allowed_kwargs"] = serving.GAME_KWARGS
    return serving.serve_until_stopped(args, url, port, credentials, {**given, "config": config})


@remote.command(epilog="Example: netsecgame remote play -u trainer.lab --certs certs --episodes 3")
def play(  # noqa: PLR0913 - one parameter an option
    *,
    url: Url = DEFAULT_URL,
    port: Port = DEFAULT_PORT,
    certs: ClientCerts = None,
    insecure: InsecureClient = False,
    entrypoint: Entrypoint = None,
    kwargs: Kwargs = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many to play.")] = 5,
    seed: Annotated[
        int | None, typer.Option(help="Of environment and agent.", show_default="drawn")
    ] = None,
    render: Annotated[bool, typer.Option("--render", help="Show frames in a window.")] = False,
) -> int:
    """Let a random agent play, and tell how the episodes end."""
    from netsecgame.cli.remote.credentials import find_place
    from netsecgame.cli.remote.playing import play_episodes

    place = find_place(url, port, certs, entrypoint, kwargs, insecure=insecure)
    return play_episodes(place, episodes, seed, renders=render)


@remote.command(epilog="Example: netsecgame remote check -u trainer.lab -p 56765 --certs certs")
def check(
    *,
    url: Url = DEFAULT_URL,
    port: Port = DEFAULT_PORT,
    certs: ClientCerts = None,
    insecure: InsecureClient = False,
    entrypoint: Entrypoint = None,
    kwargs: Kwargs = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that each layer may take.")
    ] = 10.0,
) -> int:
    """Find out which layer of a connection fails, from the server's name to an episode."""
    from netsecgame.cli.remote.checking import check_layers
    from netsecgame.cli.remote.credentials import find_place

    place = find_place(url, port, certs, entrypoint, kwargs, insecure=insecure)
    return check_layers(place, timeout)


@remote.command(epilog="Example: netsecgame remote bench -u trainer.lab --certs certs --vector 64")
def bench(  # noqa: PLR0913 - one parameter an option
    *,
    url: Url = DEFAULT_URL,
    port: Port = DEFAULT_PORT,
    certs: ClientCerts = None,
    insecure: InsecureClient = False,
    entrypoint: Entrypoint = None,
    kwargs: Kwargs = None,
    vector: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Measure N environments at once, too."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each; medians are told.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="Length of a turn.")] = 1.0,
) -> int:
    """Measure steps per second beside a bare gRPC echo, on this machine, of messages as long."""
    from netsecgame.cli.remote.benching import bench_server
    from netsecgame.cli.remote.credentials import find_place

    place = find_place(url, port, certs, entrypoint, kwargs, insecure=insecure)
    return bench_server(place, vector, rounds, seconds)
