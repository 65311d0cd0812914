"""Episodes of an attacker against a defender, counted: win rates and means with their intervals.

`evaluate` is what to use; `docs/evaluating.md` shows how.
"""

from netsecgame.envs.evaluation.plan import Plan, TaskVariant
from netsecgame.envs.evaluation.run import Progress, evaluate
from netsecgame.envs.evaluation.summary import Summary

__all__ = ["Plan", "Progress", "Summary", "TaskVariant", "evaluate"]
