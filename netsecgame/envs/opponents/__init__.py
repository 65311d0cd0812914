"""Who plays the agents of a game that are not learners.

- `Opponent`: what all of them can do.
- `make_opponent`: one of them by its name.
- `RandomOpponent`: any legal action of its role.
- `ScriptedDefender`: reads logs in turn and cuts off whoever acted from outside.
- `PolicyOpponent`: a policy of `netsecgame.agents.policies`, or one's own.
- `SavedPolicyOpponent`: a policy that was learned and saved.
"""

from netsecgame.envs.opponents.making import make_opponent
from netsecgame.envs.opponents.opponent import Opponent
from netsecgame.envs.opponents.policy_opponent import PolicyOpponent
from netsecgame.envs.opponents.random_opponent import RandomOpponent
from netsecgame.envs.opponents.saved_policy_opponent import SavedPolicyOpponent
from netsecgame.envs.opponents.scripted_defender import ScriptedDefender

__all__ = [
    "Opponent",
    "PolicyOpponent",
    "RandomOpponent",
    "SavedPolicyOpponent",
    "ScriptedDefender",
    "make_opponent",
]
