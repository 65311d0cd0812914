"""Which bits the observations of a role are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.batch.layout import StateLayout
from netsecgame.game_components import AgentRole, Service

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
    positions = list(_positions(game, role, has_others=has_others))
    index = game.action_index(role)
    topology = game.topology
    return StateLayout(
        index,
        [
            (topology.address_index[ip], topology.service_index[service])
            for position in positions
            for ip, services in position.known_services.items()
            for service in services
            if isinstance(service, Service)
        ],
        has_blocks=index.include_blocks
        or has_others
        or any(position.known_blocks for position in positions),
    )


def _positions(game: Game, role: AgentRole, *, has_others: bool) -> Iterator[Position]:
    """What the task names for those who play."""
    roles = game.spec.task.roles
    players = [AgentRole.Attacker, AgentRole.Defender] if has_others else []
    for player in dict.fromkeys([*players, role]):
        if player in roles:
            yield from (roles[player].start, roles[player].goal)
