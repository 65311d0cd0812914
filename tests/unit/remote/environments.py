"""Small environments for the tests of `netsecgame.remote`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observation = NDArray[np.float32]


class Counter(gymnasium.Env[Observation, np.int64]):
    """Counts its steps; what happened to it is in `log`.

    Args:
        ends: How many steps an episode has.
        how: Whether it ends as ``terminated``, ``truncated`` or ``both``.
        render_mode: ``rgb_array`` for frames of 2 times 3 pixels that hold the count.
    """

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 4}  # noqa: RUF012 - as Gymnasium

    def __init__(
        self, ends: int = 3, how: str = "terminated", render_mode: str | None = None
    ) -> None:
        self.observation_space = spaces.Box(-1, 1000, (2,), np.float32)
        self.action_space = spaces.Discrete(3)
        self.render_mode = render_mode
        self.log: list[Any] = []
        self.failing: dict[str, Exception] = {}
        self.secret = {"numbers": (1, 2)}
        self._ends = ends
        self._how = how
        self._count = 0

    @property
    def broken_attribute(self) -> int:
        raise ValueError("not today")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        self.log.append(("reset", seed, options))
        self._fail("reset")
        self._count = 0
        return self._observation(), {"seed": seed} if seed is not None else {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self.log.append(("step", action))
        self._fail("step")
        self._count += 1
        is_over = self._count == self._ends
        info = {"action": action, "text": ("ü", b"\0", float("inf"))}
        terminated = is_over and self._how in ("terminated", "both")
        truncated = is_over and self._how in ("truncated", "both")
        return self._observation(), 0.1 * self._count, terminated, truncated, info

    def render(self) -> Any:
        self.log.append(("render",))
        self._fail("render")
        return np.full((2, 3, 3), self._count, np.uint8)

    def close(self) -> None:
        self.log.append(("close",))
        self._fail("close")

    def _observation(self) -> Observation:
        return np.array([self._count, -0.5], np.float32)

    def _fail(self, phase: str) -> None:
        if phase in self.failing:
            raise self.failing[phase]


class Nested(gymnasium.Env[dict[str, Any], dict[str, Any]]):
    """Shows the action it was given; both are a Dict with a Tuple inside."""

    def __init__(self) -> None:
        self.action_space = spaces.Dict(
            {
                "move": spaces.Discrete(3, start=5),
                "push": spaces.Tuple((spaces.Box(-1, 1, (2,), np.float64), spaces.MultiBinary(3))),
            }
        )
        self.observation_space = self.action_space
        self.actions: list[dict[str, Any]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        first = {"move": np.int64(5), "push": (np.zeros(2), np.ones(3, np.int8))}
        return first, {}

    def step(self, action: dict[str, Any]) -> tuple[dict[str, Any], float, bool, bool, Any]:
        self.actions.append(action)
        return action, 1.0, False, False, {}


class Pair:
    """A parallel environment of two: ``a`` ends after the first step, ``b`` after the third.

    It is known as one by what it has; it does not build on PettingZoo.
    """

    metadata = {"name": "pair"}  # noqa: RUF012 - as PettingZoo

    def __init__(self, how: str = "terminated", render_mode: str | None = None) -> None:
        self.possible_agents = ["b", "a"]
        self.agents: list[str] = []
        self.render_mode = render_mode
        self.log: list[Any] = []
        self.closed = False
        self._how = how
        self._count = 0

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        if agent == "a":
            return spaces.Dict({"x": spaces.Discrete(9), "mask": spaces.MultiBinary(2)})
        return spaces.Box(0, 9, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(2) if agent == "a" else spaces.Box(-1, 1, (2,), np.float32)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self.log.append(("reset", seed, options))
        self.agents = ["b", "a"]
        self._count = 0
        return self._observations(), {"a": {}, "b": {"seed": seed}}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self.log.append(("step", actions))
        self._count += 1
        observations = self._observations()
        over = {agent: self._count == {"a": 1, "b": 3}[agent] for agent in self.agents}
        none = dict.fromkeys(self.agents, False)
        rewards = {agent: self._count + (0.5 if agent == "b" else 0.25) for agent in self.agents}
        infos: dict[str, Any] = {agent: {} for agent in self.agents}
        self.agents = [agent for agent in self.agents if not over[agent]]
        if self._how == "terminated":
            return observations, rewards, over, none, infos
        return observations, rewards, none, over, infos

    def render(self) -> Any:
        return np.full((2, 2, 3), self._count, np.uint8)

    def close(self) -> None:
        self.closed = True

    def _observations(self) -> dict[str, Any]:
        every = {
            "a": {"x": np.int64(self._count), "mask": np.array([0, 1], np.int8)},
            "b": np.array([self._count], np.float32),
        }
        return {agent: every[agent] for agent in self.agents}
