"""An ordinary user: opens files, looks which services there are, copies data between machines."""

from __future__ import annotations

import sys

from netsecgame import Action, ActionType, AgentRole, GameState
from netsecgame.agents.command_line import main
from netsecgame.agents.episodic_agent import IDLE, EpisodicAgent


class Benign(EpisodicAgent):
    """A user at work on the hosts it controls; it attacks nothing and defends nothing."""

    plays_as = AgentRole.Benign

    def choose_action(self, state: GameState) -> Action:
        """Something that people do all day."""
        if not state.controlled_hosts:
            return IDLE
        host = self.rng.choice(sorted(state.controlled_hosts))
        target = self.rng.choice(sorted(state.known_hosts))
        actions = [
            Action(ActionType.FindData, {"target_host": host, "source_host": host}),
            Action(ActionType.FindServices, {"target_host": target, "source_host": host}),
        ]
        elsewhere = sorted(state.controlled_hosts - {host})
        files = sorted(data for data in state.known_data.get(host, ()) if data.type != "log")
        if elsewhere and files:
            copy = {"target_host": self.rng.choice(elsewhere), "source_host": host}
            actions.append(
                Action(ActionType.ExfiltrateData, {**copy, "data": self.rng.choice(files)})
            )
        return self.rng.choice(actions)


if __name__ == "__main__":
    sys.exit(main(Benign))
