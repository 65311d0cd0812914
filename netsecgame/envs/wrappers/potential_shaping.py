"""Reward shaping that leaves the best policies as they are.

What is added to the reward of a step from s to s' is F = gamma * phi(s') - phi(s), where phi, the
potential, is any function of the state that is 0 where an episode has ended (Ng, Harada, Russell:
"Policy invariance under reward transformations", 1999). Along an episode the terms cancel each
other: discounted by gamma they add up to -phi of the first state, whatever was played.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, SupportsFloat, TypeAlias

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from netsecgame.core.goal import Goal
from netsecgame.core.knowledge import KnownState
from netsecgame.envs.goal_parts import take_apart
from netsecgame.envs.wrappers.game_env import game_of

if TYPE_CHECKING:
    from netsecgame.envs.goal_parts import GoalPart

#: How good a state is on the way to a goal.
Potential: TypeAlias = Callable[[KnownState, Goal], float]

_GOAL_SHARE = 0.5


def progress(state: KnownState, goal: Goal) -> float:
    """How far an agent is, 0..1: half of it is the goal itself, half the way to it.

    A part of the goal that is reached counts in full; data that is known, but not where the goal
    wants it, in half. The way is the share of the scenario's addresses that are known, and that are
    controlled.
    """
    return _GOAL_SHARE * _goal_progress(state, goal) + (1 - _GOAL_SHARE) * _exploration(state)


def _goal_progress(state: KnownState, goal: Goal) -> float:
    parts = take_apart(goal, state)
    return sum(_part_progress(part, state) for part in parts) / len(parts) if parts else 0.0


def _part_progress(part: GoalPart, state: KnownState) -> float:
    if part.is_reached:
        return 1.0
    if part.kind == "known_data" and any(part.what in some for some in state.known_data.values()):
        return 0.5
    return 0.0


def _exploration(state: KnownState) -> float:
    count = len(state.labels.topology.addresses)
    known = state.knowledge
    return (known.hosts.bit_count() + known.controlled.bit_count()) / (2 * count)


class PotentialShaping(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Adds to the reward of every step what it changed of a potential.

    ``info["shaping"]`` has what was added, so that plain returns can still be told.

    Attributes:
        potential: Takes what the agent knows and its goal; never asked about the end of an episode.
        gamma: The learner's own discount; with another one the best policy may change.
        scale: What the potential is multiplied with; None is the reward of the task for success.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        potential: Potential = progress,
        gamma: float = 0.99,
        scale: float | None = None,
        *,
        truncation_is_end: bool = False,
    ) -> None:
        """Wrap an environment of this game.

        Args:
            env: What to wrap.
            potential: How good a state is on the way to a goal.
            gamma: The learner's own discount, 0..1.
            scale: What the potential is multiplied with. None takes the reward of the task for
                success, because the best potential is the value of a state.
            truncation_is_end: Whether the potential is 0 after the step limit too. So it has to be
                for a learner that takes a truncated episode for a finished one; one that goes on
                with the value of the last state needs its potential.

        Raises:
            TypeError: If it is no environment of this game.
            ValueError: If gamma is outside 0..1.
        """
        RecordConstructorArgs.__init__(
            self,
            potential=potential,
            gamma=gamma,
            scale=scale,
            truncation_is_end=truncation_is_end,
        )
        super().__init__(env)
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma is {gamma}; expected 0 to 1")
        game_of(env)
        self.potential = potential
        self.gamma = gamma
        self.scale = scale
        self._truncation_is_end = truncation_is_end
        self._before = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._before = self._measure()
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step with the change of the potential in the reward."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        has_ended = terminated or (truncated and self._truncation_is_end)
        after = 0.0 if has_ended else self._measure()
        info["shaping"] = self.gamma * after - self._before
        self._before = after
        return observation, float(reward) + info["shaping"], terminated, truncated, info

    def _measure(self) -> float:
        inner = game_of(self.env)  # a curriculum changes it
        scale = inner.game.spec.task.rewards.success if self.scale is None else self.scale
        return scale * self.potential(inner.state, inner.goal)
