"""Many copies of one game, stepped by one call.

`BatchedWorld` is what to use; `docs/batched_world.md` shows how.
"""

from netsecgame.envs.batch.batched_world import BatchedWorld
from netsecgame.envs.batch.options import Autoreset, Backend, Defender
from netsecgame.envs.batch.results import BatchStep

__all__ = ["Autoreset", "Backend", "BatchStep", "BatchedWorld", "Defender"]
