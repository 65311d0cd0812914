"""The world of the public game: a network in memory, played by the rules of `netsecgame.core`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from netsecgame.core.dynamics import Dynamics
from netsecgame.core.task import Position
from netsecgame.game.config_parser import as_parts
from netsecgame.game.coordinator import GameCoordinator

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.game.queues import Peer
    from netsecgame.game_components import Action, AgentRole, GameState


class NetSecGame(GameCoordinator):
    """Serves one task.

    Attributes:
        dynamics: The network and its truth, once the task is loaded.
    """

    step_is_immediate = True
    reset_is_immediate = True

    def __init__(
        self,
        game_host: str,
        game_port: int,
        task_config: str | Path | None,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        """Set up a server that has not started.

        Args:
            game_host: Address to listen on.
            game_port: Port to listen on; 0 takes a free one.
            task_config: The task file.
            seed: Seed of all chance; wins over the task's.
            options: As for `GameCoordinator`.
        """
        super().__init__(game_host, game_port, task_config_file=task_config, seed=seed, **options)
        self.dynamics: Dynamics

    def _initialize(self) -> None:
        spec = self.config_manager.spec
        self.dynamics = Dynamics(spec, self.seed, self.config_manager.topology)
        own = [p for role in spec.task.roles.values() for p in (role.start, role.goal)]
        self._positions = [(as_parts(position), position) for position in own]

    async def register_agent(
        self,
        agent_id: Peer,  # noqa: ARG002 - all agents of a role start by the same rules
        agent_role: AgentRole,  # noqa: ARG002
        agent_initial_view: dict[str, Any],
        agent_win_condition_view: dict[str, Any],
    ) -> tuple[KnownState, Goal]:
        """Draw an agent's start and goal."""
        return (
            self.dynamics.draw_start(self._find_position(agent_initial_view)),
            self.dynamics.draw_goal(self._find_position(agent_win_condition_view)),
        )

    async def remove_agent(self, agent_id: Peer, agent_state: GameState) -> bool:  # noqa: ARG002
        """Nothing of an agent is kept but the data it moved and the blocks it set."""
        return True

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> KnownState:
        """Carry out a game action by the rules of `netsecgame.core`."""
        dynamics = self.dynamics
        state = dynamics.step_indexed(agent_id, agent_state, dynamics.labels.index(action))
        if dynamics.truth.refused:
            blamed = dynamics.take_blamed()
            if self.is_agent_benign(agent_id):
                for agent in blamed:
                    self.add_false_positive(agent)  # type: ignore[arg-type]
        return state

    async def reset_agent(
        self,
        agent_id: Peer,
        agent_role: AgentRole,
        agent_initial_view: dict[str, Any],
        agent_win_condition_view: dict[str, Any],
    ) -> tuple[KnownState, Goal]:
        """Draw an agent's start and goal anew."""
        return await self.register_agent(
            agent_id, agent_role, agent_initial_view, agent_win_condition_view
        )

    async def reset(self, seed: int | None = None, topology_change: bool | None = None) -> bool:
        """Restore the network; draw new addresses if the task has dynamic ones and all asked."""
        relabel = bool(topology_change) and self.config_manager.spec.task.use_dynamic_addresses
        self.dynamics.reset(seed, randomize_addresses=relabel)
        return True

    def _describe_goal(self, role: AgentRole) -> str:
        return self.dynamics.labels.translate(super()._describe_goal(role))

    def _find_position(self, parts: dict[str, Any]) -> Position:
        """The position with these parts: the task's own, unless a subclass has made others."""
        for known_parts, position in self._positions:
            if parts == known_parts:
                return position
        return _position(parts)


def _position(parts: dict[str, Any]) -> Position:
    return Position(
        known_networks=tuple(parts["known_networks"]),
        known_hosts=tuple(parts["known_hosts"]),
        controlled_hosts=tuple(parts["controlled_hosts"]),
        known_services={ip: tuple(items) for ip, items in parts["known_services"].items()},
        known_data={ip: tuple(items) for ip, items in parts["known_data"].items()},
        known_blocks={ip: tuple(items) for ip, items in parts["known_blocks"].items()},
    )


if __name__ == "__main__":
    from netsecgame.game.worlds.command_line import main

    sys.exit(main(NetSecGame))
