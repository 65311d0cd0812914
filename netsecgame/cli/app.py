"""The commands, their options and their help; what they do is elsewhere and imported on demand."""

# ruff: noqa: PLC0415 - each command imports what only it needs, so that `--help` is quick

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from netsecgame import __version__
from netsecgame.cli.remote.commands import remote
from netsecgame.cli.running import run_app

if TYPE_CHECKING:
    from netsecgame.cli.evaluate import Place


class LogLevel(StrEnum):
    """What the log of a server may hold."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Loop(StrEnum):
    """The event loops that a server can run on."""

    auto = "auto"
    asyncio = "asyncio"
    uvloop = "uvloop"


class Attackers(StrEnum):
    """The attackers that `play` can start."""

    scripted = "scripted"
    random = "random"


class Defenders(StrEnum):
    """The defenders that `play` can start."""

    random = "random"
    none = "none"


#: Where episodes are played: see `Place`.
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="How many processes play.", show_default="one a processor"),
]
RayAddress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Play on a Ray cluster: HOST:PORT of its head, or auto.",
        show_default="no cluster",
    ),
]

app = typer.Typer(
    name="netsecgame",
    help="A network-security game that agents of many kinds play over TCP.",
    epilog="Example: netsecgame play two_networks_small",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

MAX_PORT = 65_535

_TASK_HELP = "Task file, or the name of one in ./task_configs."


def run_command(arguments: list[str]) -> int:
    """Carry out a command line; returns the exit status."""
    return run_app(app, arguments or ["--help"], "netsecgame")


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"netsecgame {__version__}")
        raise typer.Exit


@app.callback()
def _take_global_options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: netsecgame serve task_configs/two_networks_small.yaml -gp 9000")
def serve(  # noqa: PLR0913 - one parameter an option
    task: Annotated[str | None, typer.Argument(metavar="TASK", help=_TASK_HELP)] = None,
    *,
    task_config: Annotated[
        str | None, typer.Option("--task_config", "-c", help="The same as TASK.")
    ] = None,
    game_port: Annotated[
        int, typer.Option("--game_port", "-gp", min=0, max=65_535, help="0 takes a free one.")
    ] = 9_000,
    game_host: Annotated[
        str, typer.Option("--game_host", "-gh", help="Address to listen on.")
    ] = "127.0.0.1",
    debug_level: Annotated[
        LogLevel,
        typer.Option("--debug_level", "-l", case_sensitive=False, help="What is logged."),
    ] = LogLevel.INFO,
    seed: Annotated[
        int | None, typer.Option("--seed", "-s", help="Of all chance; wins over the task's.")
    ] = None,
    white_box: Annotated[
        bool, typer.Option("--white-box", help="Tell agents every action there can be.")
    ] = False,
    max_connections: Annotated[
        int, typer.Option("--max_connections", min=1, help="Further agents are refused.")
    ] = 1_024,
    max_message_bytes: Annotated[
        int, typer.Option("--max_message_bytes", min=1, help="Longest message of an agent.")
    ] = 65_536,
    message_timeout: Annotated[
        float, typer.Option("--message_timeout", help="Seconds a message may take to come in.")
    ] = 60.0,
    required_players: Annotated[
        int | None,
        typer.Option(
            "--required_players",
            min=1,
            help="Agents that must have joined before the game starts; wins over the task's.",
        ),
    ] = None,
    until_stdin_closes: Annotated[
        bool,
        typer.Option(
            "--until_stdin_closes",
            help="Stop when standard input ends, too; for programs that start servers.",
        ),
    ] = False,
    loop: Annotated[
        Loop, typer.Option("--loop", help="Event loop; auto is uvloop where it is installed.")
    ] = Loop.auto,
    games: Annotated[
        int,
        typer.Option(
            "--games",
            min=1,
            help="How many games, each by itself; game i has the port and the seed of the first"
            " plus i.",
        ),
    ] = 1,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="How many processes share the games.")
    ] = 1,
) -> int:
    """Serve a task to agents, until Ctrl-C."""
    if (task is None) == (task_config is None):
        raise typer.BadParameter("expected one task file", param_hint="TASK")
    if game_port and game_port + games - 1 > MAX_PORT:
        text = f"{games} games from port {game_port} on go beyond {MAX_PORT}"
        raise typer.BadParameter(text, param_hint="--games")
    if workers > games:
        text = f"expected at most one for each game, got {workers} for {games}"
        raise typer.BadParameter(text, param_hint="--workers")
    from netsecgame.cli.server import serve_task
    from netsecgame.game.task_files import find_task_file
    from netsecgame.game.worlds.command_line import limits_for

    return serve_task(
        find_task_file(task or task_config or ""),
        game_host,
        game_port,
        is_white_box=white_box,
        games=games,
        workers=workers,
        seed=seed,
        log_level=debug_level.name,
        loop=loop.name,
        stops_with_stdin=until_stdin_closes,
        options={
            "max_connections": max_connections,
            "message_timeout_s": message_timeout,
            "limits": limits_for(max_message_bytes),
            "required_players": required_players,
        },
    )


@app.command(epilog="Example: netsecgame play two_networks_defended --benign 2 --episodes 50")
def play(
    task: Annotated[str, typer.Argument(metavar="TASK", help=_TASK_HELP)],
    *,
    agent: Annotated[Attackers, typer.Option(help="Who attacks.")] = Attackers.scripted,
    defender: Annotated[
        Defenders | None,
        typer.Option(help="Who defends.", show_default="random if the task has a Defender"),
    ] = None,
    benign: Annotated[int, typer.Option(min=0, help="How many benign agents play along.")] = 0,
    episodes: Annotated[int, typer.Option(min=1, help="How many to play.")] = 10,
    seed: Annotated[
        int | None, typer.Option(help="Of server and agents.", show_default="the task's")
    ] = None,
) -> int:
    """Watch shipped agents play: starts a server and agents, and shows how they do."""
    from netsecgame.cli.line_up import line_up
    from netsecgame.cli.play import play_match
    from netsecgame.game.loading import load_game
    from netsecgame.game.task_files import find_task_file

    path = find_task_file(task)
    spec = load_game(path)
    with_defender = None if defender is None else defender is Defenders.random
    seats = line_up(spec.task, agent.value, with_defender=with_defender, benign=benign)
    return play_match(path, spec.task, seats, episodes, seed)


def _place(jobs: int | None, ray_address: str | None) -> Place:
    from netsecgame.cli.evaluate import Place

    if jobs is not None and ray_address is not None:
        text = "a cluster has as many as it has; leave one of --jobs and --ray-address away"
        raise typer.BadParameter(text, param_hint="--jobs")
    return Place(jobs, ray_address)


@app.command(
    epilog="Example: netsecgame evaluate --task two_networks --agent scripted --out scripted"
)
def evaluate(  # noqa: PLR0913 - one parameter an option
    *,
    task: Annotated[str, typer.Option(help=_TASK_HELP)],
    agent: Annotated[
        str, typer.Option(help="random, no-repeat-random, scripted, or a policy's .npz file.")
    ],
    defender: Annotated[
        str, typer.Option(help="none, random, scripted, stochastic, or a policy's .npz file.")
    ] = "none",
    benign: Annotated[int, typer.Option(min=0, help="How many benign agents play along.")] = 0,
    episodes: Annotated[int, typer.Option(min=1, help="How many to play for each seed.")] = 100,
    seeds: Annotated[int, typer.Option(min=1, help="How many: 0, 1, 2 and so on.")] = 3,
    out: Annotated[str, typer.Option(metavar="DIR", help="Where the results go, or are already.")],
    global_defender: Annotated[
        bool | None,
        typer.Option(help="Whether it watches the attacker.", show_default="as the task says"),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Of the attacker in an episode.", show_default="the task's"),
    ] = None,
    jobs: Jobs = None,
    ray_address: RayAddress = None,
) -> int:
    """Measure how well an attacker does: win rate, return and more, with 95 % intervals.

    It may be stopped at any time, and the same command goes on. What is in DIR is not played again.
    """
    from pathlib import Path

    from netsecgame.cli.evaluate import run_evaluation
    from netsecgame.envs.evaluation import Plan, TaskVariant

    variant = TaskVariant.find(task, global_defender=global_defender, max_steps=max_steps)
    plan = Plan(variant, agent, defender, benign, episodes, seeds)
    return run_evaluation(plan, Path(out), _place(jobs, ray_address))


@app.command(epilog="Example: netsecgame bench-table --policy Q=policies/q --out results.md")
def bench_table(
    *,
    out: Annotated[
        str, typer.Option(metavar="FILE", help="The page to write.")
    ] = "docs/results.md",
    agents: Annotated[
        str, typer.Option(help="Attackers by name, with commas in between.")
    ] = "random,no-repeat-random,scripted",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DIR", help="One more column: saved policies, DIR/TASK/policy.npz."
        ),
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many to play for each seed.")] = 200,
    seeds: Annotated[int, typer.Option(min=1, help="How many: 0, 1, 2 and so on.")] = 3,
    cache: Annotated[
        str, typer.Option(metavar="DIR", help="Keeps what was played, to go on after a stop.")
    ] = "logs/bench_table",
    jobs: Jobs = None,
    ray_address: RayAddress = None,
) -> int:
    """Play all shipped tasks, with and without the global defender, and write a page of results."""
    from pathlib import Path

    from netsecgame.cli.bench_table import make_table, parse_columns

    columns = parse_columns(agents, policy or [])
    place = _place(jobs, ray_address)
    return make_table(Path(out), columns, episodes, seeds, Path(cache), place)


@app.command(epilog="Example: netsecgame validate task_configs/*.yaml")
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Task or scenario files.")],
) -> int:
    """Check task and scenario files; exit status 2 if something is wrong."""
    from netsecgame.cli.validation import validate_files

    return validate_files(files)


app.add_typer(remote, name="remote")

scenarios = typer.Typer(invoke_without_command=True)
app.add_typer(scenarios, name="scenarios")


@scenarios.callback(epilog="Example: netsecgame scenarios show two_networks_small")
def list_scenarios(context: typer.Context) -> None:
    """List the shipped scenarios, or show one as a picture."""
    if context.invoked_subcommand is None:
        from netsecgame.cli.scenario_list import print_scenarios

        print_scenarios()


@scenarios.command(epilog="Example: netsecgame scenarios show two_networks_small")
def show(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A shipped scenario's name, or a file.")
    ],
) -> int:
    """Show a scenario as a picture: its networks, what is in them, and who reaches whom."""
    from netsecgame.cli.scenario_picture import print_picture
    from netsecgame.scenarios import load_scenario

    print_picture(load_scenario(scenario))
    return 0


@scenarios.command(
    epilog="Example: netsecgame scenarios generate --networks 3 --clients 4 --servers 3 -o big.yaml"
)
def generate(
    *,
    networks: Annotated[
        int, typer.Option(help="Private networks; 2 to 1,000, a third of them for servers.")
    ],
    clients: Annotated[int, typer.Option(help="Clients in all; at least 1.")],
    servers: Annotated[
        int, typer.Option(help="Servers in all; at least 1, and with the clients 10,000 at most.")
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The task, such as big.yaml; big.scenario.yaml is written beside it.",
        ),
    ],
    seed: Annotated[int, typer.Option(help="The same seed and sizes: the same files.")] = 42,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
) -> int:
    """Write a task, and a network of that size on which the attacker can win.

    The numbers are totals: 3 networks, 4 clients and 3 servers are 7 machines, spread evenly over
    client networks and server networks. The outside, with the attacker's server, is one more.
    """
    from pathlib import Path

    from netsecgame.cli.scenario_generation import generate_game

    generate_game(
        Path(output),
        networks=networks,
        clients=clients,
        servers=servers,
        seed=seed,
        overwrites=force,
    )
    return 0
