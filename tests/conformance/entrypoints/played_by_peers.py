"""Environments that peers who know dm_env_rpc only can play."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

#: Spaces that between them have every tensor a plain peer may have to send.
ACTION_SPACES: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(4, start=-2),
    "box": spaces.Box(-1, 1, (2, 3), np.float32),
    "uint8": spaces.Box(3, 250, (2, 2), np.uint8),
    "int64": spaces.Box(-5, 5, (3,), np.int64),
    "multi_discrete": spaces.MultiDiscrete([3, 5], start=[1, -1]),
    "multi_binary": spaces.MultiBinary(4),
}


class Mirror(gymnasium.Env[dict[str, Any], Any]):
    """Shows the last action; ends after 5 steps, by a time limit every other time."""

    def __init__(self, action: str, render_mode: str | None) -> None:
        self.action_space = ACTION_SPACES[action]
        self.observation_space = spaces.Dict(
            {"action": self.action_space, "left": spaces.Discrete(6)}
        )
        self.render_mode = render_mode
        self._left = self._episodes = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self._left = 5
        self._episodes += 1
        return self._observation(self.action_space.sample()), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self._left -= 1
        is_over = self._left == 0
        is_limit = self._episodes % 2 == 0
        return self._observation(action), 0.5, is_over and not is_limit, is_over and is_limit, {}

    def render(self) -> Any:
        return np.full((4, 4, 3), self._left, np.uint8)

    def _observation(self, action: Any) -> dict[str, Any]:
        return {"action": action, "left": np.int64(self._left)}


def create_environment(action: str = "discrete", render_mode: str | None = None) -> Mirror:
    return Mirror(action, render_mode)
