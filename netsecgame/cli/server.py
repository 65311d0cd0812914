"""`netsecgame serve`: servers, until they are told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsecgame.game.hosting.plan import HostPlan, describe_numbers
from netsecgame.game.worlds.command_line import serve
from netsecgame.game.worlds.NetSecGame import NetSecGame
from netsecgame.game.worlds.WhiteBoxNetSecGame import WhiteBoxNetSecGame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def serve_task(
    task: Path,
    host: str,
    port: int,
    *,
    is_white_box: bool,
    games: int,
    workers: int,
    **options: Any,
) -> int:
    """Serve a task until SIGINT or SIGTERM; returns the exit status.

    Args:
        task: The task file.
        host: Address to listen on.
        port: Of the first game; the others follow. 0 takes free ones.
        is_white_box: Whether agents are told every action there can be.
        games: How many games.
        workers: How many processes host them.
        options: Further ones of a `HostPlan`.
    """
    plan = HostPlan(
        world=WhiteBoxNetSecGame if is_white_box else NetSecGame,
        task=task,
        host=host,
        port=port,
        games=games,
        numbers=range(games),
        **options,
    )

    def announce(ports: Mapping[int, int]) -> None:
        for line in describe_addresses(plan, ports):
            print(line, flush=True)  # noqa: T201

    return serve(plan, announce, workers)


def describe_addresses(plan: HostPlan, ports: Mapping[int, int]) -> list[str]:
    """Lines that people and programs read: one for a game, or one for all if their ports follow.

    Args:
        plan: What is served.
        ports: Of the games that listen, by number.
    """
    if not plan.is_numbered:
        return [f"listening on {plan.host}:{port} (Ctrl-C stops)" for port in ports.values()]
    if plan.port and len(ports) == plan.games:
        span = describe_numbers(ports.values())
        return [f"listening on {plan.host}:{span} ({plan.games} games, Ctrl-C stops)"]
    return [
        f"listening on {plan.host}:{port} (game {number}, Ctrl-C stops)"
        for number, port in ports.items()
    ]
