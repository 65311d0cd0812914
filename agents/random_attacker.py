"""Plays any valid action by chance: the least an attacker has to be better than."""

from __future__ import annotations

import sys

from netsecgame import Action, AgentRole, GameState, generate_valid_actions
from netsecgame.agents.command_line import main
from netsecgame.agents.episodic_agent import IDLE, EpisodicAgent


class RandomAttacker(EpisodicAgent):
    """An attacker that plays any valid action, each as likely as the others."""

    plays_as = AgentRole.Attacker

    def choose_action(self, state: GameState) -> Action:
        """One of the actions that make sense as far as the attacker knows."""
        # A set has no order of its own: sorted, the same seed draws the same actions anywhere.
        actions = sorted(generate_valid_actions(state), key=str)
        return self.rng.choice(actions or [IDLE])


if __name__ == "__main__":
    sys.exit(main(RandomAttacker))
