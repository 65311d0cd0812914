"""Two or three agents who leave one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from pettingzoo import ParallelEnv

ByAgent = dict[str, Any]


class Agents(ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # untyped
    """Each agent sees something else; the last one is cut off after ten steps.

    Args:
        render_mode: ``rgb_array`` or None.
    """

    def __init__(self, render_mode: str | None = None) -> None:
        self.metadata = {"name": "agents_v0", "render_modes": ["rgb_array"]}
        self.render_mode = render_mode
        self.possible_agents = ["walker_0", "talker/1", "thinker_2"]
        self.agents: list[str] = []
        self._spaces: dict[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
            "walker_0": (
                spaces.Box(-1.0, 1.0, (3,), np.float64),
                spaces.Box(-1.0, 1.0, (2,), np.float32),
            ),
            "talker/1": (spaces.Text(4), spaces.MultiDiscrete([2, 3], start=[1, 0])),
            "thinker_2": (
                spaces.Dict({"mask": spaces.MultiBinary(4), "x": spaces.Discrete(9)}),
                spaces.Discrete(4),
            ),
        }
        self._rng = np.random.default_rng(0)
        self._steps = 0

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._spaces[agent][0]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self._spaces[agent][1]

    def reset(
        self, seed: int | None = None, options: ByAgent | None = None
    ) -> tuple[ByAgent, ByAgent]:
        if seed is not None:
            self._rng = seeding.np_random(seed)[0]
            for number, agent in enumerate(self.possible_agents):
                self.observation_space(agent).seed(seed + number)
        self.agents = self.possible_agents[:]
        self._steps = 0
        infos = {agent: {"options": options} for agent in self.agents}
        return self._observe(), infos

    def step(self, actions: ByAgent) -> tuple[ByAgent, ByAgent, ByAgent, ByAgent, ByAgent]:
        self._steps += 1
        playing = self.agents[:]
        leaving = {3: "talker/1", 6: "walker_0"}.get(self._steps)
        is_cut = self._steps == 10
        rewards = {agent: float(self._rng.normal()) for agent in playing}
        terminated = {agent: agent == leaving for agent in playing}
        truncated = dict.fromkeys(playing, is_cut)
        infos = {agent: {"action": actions[agent]} for agent in playing}
        observations = self._observe()
        self.agents = [agent for agent in playing if agent != leaving and not is_cut]
        return observations, rewards, terminated, truncated, infos

    def render(self) -> Any:
        return np.full((3, 4, 3), self._steps, np.uint8)

    def close(self) -> None:
        pass

    def _observe(self) -> ByAgent:
        return {agent: self.observation_space(agent).sample() for agent in self.agents}


def create_environment(env_id: int, **kwargs: Any) -> Agents:
    return Agents(**kwargs)
