"""Wrappers around the environment of one agent.

To stack the last observations, Gymnasium has `gymnasium.wrappers.FrameStackObservation`.
"""

from netsecgame.envs.wrappers.curriculum import Curriculum
from netsecgame.envs.wrappers.episode_outcome import EpisodeOutcome
from netsecgame.envs.wrappers.potential_shaping import PotentialShaping, progress

__all__ = ["Curriculum", "EpisodeOutcome", "PotentialShaping", "progress"]
