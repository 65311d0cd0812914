"""An environment whose observation is the last action, so that what is sent comes back."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SPACES: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(5),
    "discrete_start": spaces.Discrete(4, start=-2),
    "box_float32": spaces.Box(-1.0, np.array([1, np.inf], np.float32), (2,), np.float32),
    "box_uint8": spaces.Box(0, 255, (2, 3), np.uint8),
    "box_float64": spaces.Box(-1e9, 1e9, (3,), np.float64),
    "box_int16": spaces.Box(-300, 300, (2,), np.int16),
    "box_scalar": spaces.Box(-1.0, 1.0, (), np.float32),
    "multi_discrete": spaces.MultiDiscrete([3, 5]),
    "multi_discrete_start": spaces.MultiDiscrete([3, 5], start=[-1, 7]),
    "multi_discrete_one": spaces.MultiDiscrete([4]),
    "multi_discrete_2d": spaces.MultiDiscrete(np.array([[2, 3], [4, 5]])),
    "multi_binary": spaces.MultiBinary((2, 2)),
    "dict": spaces.Dict(
        {"b": spaces.Discrete(3), "a": spaces.Dict({"x": spaces.Box(0.0, 1.0, (2,), np.float64)})}
    ),
    "tuple": spaces.Tuple((spaces.Discrete(2), spaces.MultiBinary(3))),
    "text": spaces.Text(5, min_length=0, charset="abcü"),
    "sequence": spaces.Sequence(spaces.Box(0.0, 1.0, (2,), np.float32)),
    "graph": spaces.Graph(spaces.Box(-1.0, 1.0, (3,), np.float32), spaces.Discrete(4)),
    "one_of": spaces.OneOf((spaces.Discrete(3), spaces.Text(4))),
}

#: Of rewards: no float32 is this number.
REWARD = 0.1


class Odd:
    """Nothing that can travel."""

    def __repr__(self) -> str:
        return "<something odd>"


class Mirror(gymnasium.Env[Any, Any]):
    """Its infos tell what it was asked.

    Args:
        env_id: As the server gives it.
        action: The name of its action space.
        observation: The name of its observation space; None is the same.
        ends_after: How many steps an episode has; 0 is no end.
        how: Whether it ends as ``terminated``, ``truncated`` or ``both``.
        render_mode: ``rgb_array`` or None.
        size: Of a frame.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 7, "tags": ("a", 1)}  # noqa: RUF012

    def __init__(
        self,
        env_id: int = 0,
        action: str = "discrete",
        observation: str | None = None,
        ends_after: int = 0,
        how: str = "terminated",
        render_mode: str | None = None,
        size: int = 4,
    ) -> None:
        self.action_space = deepcopy(SPACES[action])
        self.observation_space = deepcopy(SPACES[observation or action])
        self.render_mode = render_mode
        self.reward_range = (-1.5, float("inf"))
        self._is_mirror = observation is None
        self._ends_after = ends_after
        self._how = how
        self._size = size
        self._steps = 0
        self._renders = 0
        self._env_id = env_id

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self._steps = 0
        info: dict[str, Any] = {"seed": seed, "options": options, "env_id": self._env_id}
        if options and "odd" in options:
            info["odd"] = Odd()
        return self.observation_space.sample(), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        observation = action if self._is_mirror else self.observation_space.sample()
        is_over = self._steps == self._ends_after
        terminated = is_over and self._how in ("terminated", "both")
        truncated = is_over and self._how in ("truncated", "both")
        info = {"action": action, "is_native": self.action_space.contains(action)}
        return observation, REWARD, terminated, truncated, {**info, "renders": self._renders}

    def render(self) -> Any:
        self._renders += 1
        return np.full((self._size, self._size, 3), self._steps, np.uint8)


def create_environment(env_id: int, **kwargs: Any) -> Mirror:
    return Mirror(env_id, **kwargs)
