"""Policies that were learned, saved as files that need nothing of the learner to be played."""

from netsecgame.envs.policies.file import load_policy, save_policy
from netsecgame.envs.policies.header import PolicyHeader
from netsecgame.envs.policies.network import NetworkPolicy, Selection
from netsecgame.envs.policies.player import PolicyPlayer
from netsecgame.envs.policies.saved import SavedPolicy
from netsecgame.envs.policies.table import TablePolicy, state_key

__all__ = [
    "NetworkPolicy",
    "PolicyHeader",
    "PolicyPlayer",
    "SavedPolicy",
    "Selection",
    "TablePolicy",
    "load_policy",
    "save_policy",
    "state_key",
]
