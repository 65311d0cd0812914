"""What learners are shown of a state: as numbers, as arrays, as a graph or as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from netsecgame.envs.observations.arrays import ArraysObserver
from netsecgame.envs.observations.flat import FlatObserver
from netsecgame.envs.observations.graph import GraphObserver
from netsecgame.envs.observations.layouts import lay_out
from netsecgame.envs.observations.observer import Observer
from netsecgame.envs.observations.text import TextObserver
from netsecgame.errors import ConfigurationError, suggest_nearest

if TYPE_CHECKING:
    from netsecgame.envs.game import Game
    from netsecgame.game_components import AgentRole

__all__ = [
    "KINDS",
    "ArraysObserver",
    "FlatObserver",
    "GraphObserver",
    "Observer",
    "TextObserver",
    "lay_out",
    "make_observer",
]

#: The kinds of observations by name.
KINDS: Final = ("flat", "dict", "graph", "text")


def make_observer(kind: str, game: Game, role: AgentRole, *, has_others: bool) -> Observer:
    """What turns the states of one agent into observations.

    Args:
        kind: One of `KINDS`.
        game: What is played.
        role: Whose states they are.
        has_others: Whether anybody else plays, who may block hosts.

    Raises:
        ConfigurationError: If there is no such kind.
        RoleNotAvailableError: If the task has no such role.
    """
    role_task = game.role_task(role)
    if kind == "text":
        return TextObserver(game.topology, role_task)
    if kind == "graph":
        return GraphObserver(game.action_index(role))
    if kind not in KINDS:
        hint = suggest_nearest(kind, KINDS)
        raise ConfigurationError(
            f"expected one of {', '.join(KINDS)}, got {kind!r}{hint}", path="observation"
        )
    layout = lay_out(game, role, has_others=has_others)
    return FlatObserver(layout) if kind == "flat" else ArraysObserver(layout)
