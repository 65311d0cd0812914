"""Statistics of episodes that tell how they ended."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, SupportsFloat

from gymnasium.wrappers import RecordEpisodeStatistics

from netsecgame.envs.wrappers.game_env import game_of
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    import gymnasium

STEP_LIMIT: Final = "step_limit"

#: Why an agent's episode has ended, by its role and status; otherwise a step limit was reached.
END_REASONS: Final = {
    (AgentRole.Attacker, AgentStatus.Success): "goal_reached",
    (AgentRole.Attacker, AgentStatus.Fail): "detected",
    (AgentRole.Defender, AgentStatus.Success): "attack_failed",
    (AgentRole.Defender, AgentStatus.Fail): "attack_succeeded",
}


class EpisodeOutcome(RecordEpisodeStatistics[Any, Any]):
    """Gymnasium's statistics of episodes, and how they ended.

    When an episode ends, ``info["episode"]`` has besides its return ``r``, its length ``l`` and its
    time ``t`` (see `gymnasium.wrappers.RecordEpisodeStatistics`):

    - ``success``: whether the agent has won.
    - ``detected``: whether it is an attacker whom the global defender has caught.
    - ``end_reason``: ``goal_reached`` or ``detected`` of an attacker, ``attack_failed`` or
      ``attack_succeeded`` of a defender, else ``step_limit``: that of the task or of Gymnasium.

    Attributes:
        success_queue: ``success`` of the last episodes, as `return_queue` has their returns.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        buffer_length: int = 100,
        stats_key: str = "episode",
    ) -> None:
        """Wrap an environment of this game.

        Args:
            env: What to wrap.
            buffer_length: How many episodes the queues remember.
            stats_key: The key of the statistics in ``info``.
        """
        super().__init__(env, buffer_length, stats_key)
        self._role = game_of(env).role
        self.success_queue: deque[bool] = deque(maxlen=buffer_length)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step; the last one of an episode tells the statistics."""
        result = super().step(action)
        terminated, truncated, info = result[2:]
        if terminated or truncated:
            status = AgentStatus.from_string(info["status"])
            reason = END_REASONS.get((self._role, status), STEP_LIMIT)
            is_won = status is AgentStatus.Success
            info[self._stats_key] |= {
                "success": is_won,
                "detected": reason == "detected",
                "end_reason": reason,
            }
            self.success_queue.append(is_won)
        return result
