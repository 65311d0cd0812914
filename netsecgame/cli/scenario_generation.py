"""`netsecgame scenarios generate`: a task and a scenario of any size, as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsecgame.game.generation import write_game

if TYPE_CHECKING:
    from pathlib import Path


def generate_game(task: Path, **options: Any) -> None:
    """Write a game and print what was written.

    Args:
        task: The task file.
        options: As for `write_game`.
    """
    game = write_game(task, **options)
    hosts, networks = len(game.content.scenario.hosts), len(game.content.network_names)
    print(  # noqa: T201 - this is the command line
        f"wrote {game.task} (task) and {game.scenario} "
        f"(scenario: {hosts:,} hosts in {networks:,} networks, outside included)"
    )
