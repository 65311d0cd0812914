"""Looks around by chance, and now and then blocks a connection: a defender without a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.agents.policy import IDLE, Policy
from netsecgame.game_components import Action, ActionType, AgentRole

if TYPE_CHECKING:
    from netsecgame.game_components import GameState

#: A block stays until the next reset. Much more of them, and soon nobody reaches anybody: the
#: attacker could not win, but no benign agent could work either.
BLOCK_CHANCE = 0.05


class StochasticDefender(Policy):
    """A defender that scans, finds services and reads data and logs, and sometimes blocks."""

    plays_as = AgentRole.Defender

    def choose_action(self, state: GameState) -> Action:
        """Something that a controlled host can do."""
        if not state.controlled_hosts:
            return IDLE
        host = self.rng.choice(sorted(state.controlled_hosts))
        others = sorted(state.known_hosts - {host} - state.known_blocks.get(host, set()))
        pair = {"target_host": host, "source_host": host}
        if others and self.rng.random() < BLOCK_CHANCE:
            return Action(ActionType.BlockIP, {**pair, "blocked_host": self.rng.choice(others)})
        actions = [Action(ActionType.FindData, pair)]
        if others:
            target = self.rng.choice(others)
            actions.append(
                Action(ActionType.FindServices, {"target_host": target, "source_host": host})
            )
        if state.known_networks:
            network = self.rng.choice(sorted(state.known_networks))
            actions.append(
                Action(ActionType.ScanNetwork, {"target_network": network, "source_host": host})
            )
        return self.rng.choice(actions)
