"""Many copies of one game, stepped by one call.

`BatchedWorld` is what to use; `docs/batched_world.md` shows how.
"""

from netsecgame.envs.batch.batched_world import (
    Autoreset,
    Backend,
    BatchedWorld,
    BatchStep,
    Defender,
)

__all__ = ["Autoreset", "Backend", "BatchStep", "BatchedWorld", "Defender"]
