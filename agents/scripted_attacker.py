"""An attacker with a method; how it thinks is in `netsecgame.agents.policies.scripted_attacker`."""

from __future__ import annotations

import sys

from netsecgame.agents.command_line import main
from netsecgame.agents.episodic_agent import EpisodicAgent
from netsecgame.agents.policies import scripted_attacker


class ScriptedAttacker(scripted_attacker.ScriptedAttacker, EpisodicAgent):
    """An attacker that knows the rules of the game, but not the network it is in."""


if __name__ == "__main__":
    sys.exit(main(ScriptedAttacker))
