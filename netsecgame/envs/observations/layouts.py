"""Which bits the observations of a role are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.batch.layout import StateLayout
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.core.task import Position
    from netsecgame.envs.game import Game


def lay_out(game: Game, role: AgentRole, *, has_others: bool) -> StateLayout:
    """The layout of what agents of a role know, as `BatchedWorld` has it for the same players.

    Args:
        game: What is played.
        role: Whose states they are.
        has_others: Whether anybody else plays, who may block hosts.
    """
    index = game.action_index(role)
    return StateLayout.of_positions(
        index,
        list(_positions(game, role, has_others=has_others)),
        can_block=index.include_blocks or has_others,
    )


def _positions(game: Game, role: AgentRole, *, has_others: bool) -> Iterator[Position]:
    """What the task names for those who play."""
    roles = game.spec.task.roles
    players = [AgentRole.Attacker, AgentRole.Defender] if has_others else []
    for player in dict.fromkeys([*players, role]):
        if player in roles:
            yield from (roles[player].start, roles[player].goal)
