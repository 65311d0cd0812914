"""A defender without a plan; how it acts is in `netsecgame.agents.policies.stochastic_defender`."""

from __future__ import annotations

import sys

from netsecgame.agents.command_line import main
from netsecgame.agents.episodic_agent import EpisodicAgent
from netsecgame.agents.policies.stochastic_defender import StochasticDefender


class RandomDefender(StochasticDefender, EpisodicAgent):
    """A defender that scans, finds services and reads data and logs, and sometimes blocks."""


if __name__ == "__main__":
    sys.exit(main(RandomDefender))
