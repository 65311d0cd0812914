"""From easy tasks to hard ones."""

from __future__ import annotations

from collections import deque
from operator import index as as_int
from typing import TYPE_CHECKING, Any, SupportsFloat

import gymnasium
import numpy as np

from netsecgame.envs.seeds import draw_seed
from netsecgame.envs.wrappers.alignment import align, idle_action
from netsecgame.envs.wrappers.game_env import game_of
from netsecgame.errors import UnknownActionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gymnasium.envs.registration import EnvSpec
    from numpy.typing import NDArray


class Curriculum(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Plays one task after another: the next one when enough of the last episodes were won.

    All stages have the same spaces. An action that means the same in two tasks has the same number,
    and flat observations have the same thing at the same place; where a task lacks something, its
    observations are 0, and its masks say that the action is not legal: it costs a step and changes
    nothing. Actions and observations of the last stage are as they are without the curriculum,
    followed by what only earlier ones have. So a policy that was trained through all stages plays
    the last task without this wrapper, if that task has all there is in the others.

    The stage is in ``info["stage"]``, from 0. It is a state of the training and not of the episode:
    no reset goes back. An episode that a reset cuts off does not count.

    Attributes:
        stages: The environments.
        wins: Which of the last episodes of this stage were won.
    """

    def __init__(
        self,
        stages: Sequence[gymnasium.Env[Any, Any]],
        promote_at: float = 0.8,
        window: int = 100,
    ) -> None:
        """Begin with the first stage.

        Args:
            stages: Environments of this game, the easiest first, all of one role.
            promote_at: The share of won episodes that ends a stage, 0..1.
            window: How many episodes that share is of, the newest ones of the stage.

        Raises:
            ConfigurationError: If the spaces of the stages cannot be brought together.
            TypeError: If a stage is no environment of this game.
            ValueError: If there is no stage, or an option is out of its range.
        """
        if not stages:
            raise ValueError("expected at least one stage")
        if not 0 <= promote_at <= 1:
            raise ValueError(f"promote_at is {promote_at}; expected 0 to 1")
        if window < 1:
            raise ValueError(f"window is {window}; expected at least 1")
        self.stages = tuple(stages)
        self.wins: deque[bool] = deque(maxlen=window)
        self._alignment = align(self.stages)
        self._promote_at = promote_at
        self._next = 0
        self._stage = 0
        super().__init__(self.stages[0])
        self.action_space = self._alignment.action_space
        self.observation_space = self._alignment.observation_space
        self._numbers = [self._invert(places) for places in self._alignment.actions]

    @property
    def stage(self) -> int:
        """Which stage is played; to set it takes effect with the next reset."""
        return self._stage

    @stage.setter
    def stage(self, stage: int) -> None:
        if not 0 <= stage < len(self.stages):
            raise ValueError(f"stage is {stage}; expected 0 to {len(self.stages) - 1}")
        self._next = stage
        self.wins.clear()

    @property
    def spec(self) -> EnvSpec | None:  # type: ignore[override]  # as in Gymnasium's own wrapper
        """None: environments are no arguments that Gymnasium could make this anew from."""
        return None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, of the next stage if it is time for it.

        Args:
            seed: Re-seeds every random choice. None goes on with them as they are; a stage that
                begins is given a seed that the one before draws.
            options: Passed on.
        """
        if self._next != self._stage:
            if seed is None:
                seed = draw_seed(self.np_random)
            self._stage = self._next
            self.env = self.stages[self._stage]
        observation, info = self.env.reset(seed=seed, options=options)
        return self._place(observation), self._tell(info)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one action of the common space.

        Raises:
            UnknownActionError: If there is no such action in any stage; nothing is played then.
        """
        size = int(self._alignment.action_space.n)
        if not 0 <= as_int(action) < size:
            raise UnknownActionError(as_int(action), size)
        number = int(self._numbers[self._stage][action])
        if number < 0:
            inner = game_of(self.env)
            number = idle_action(inner.game.action_index(inner.role), inner.state.knowledge)
        observation, reward, terminated, truncated, info = self.env.step(number)
        if terminated or truncated:
            self._count(is_won=bool(info.get("is_success", False)))  # absent after a `TimeLimit`
        return self._place(observation), reward, terminated, truncated, self._tell(info)

    def action_masks(self) -> NDArray[np.bool_]:
        """Whether each action of the common space is legal now, (N,) bool."""
        return self._place_mask(self.env.get_wrapper_attr("action_masks")())

    def close(self) -> None:
        """Close all stages."""
        for env in self.stages:
            env.close()

    def _count(self, *, is_won: bool) -> None:
        if self._next != self._stage:  # somebody has set another one
            return
        self.wins.append(is_won)
        is_full = len(self.wins) == self.wins.maxlen
        is_last = self._stage == len(self.stages) - 1
        if is_full and not is_last and sum(self.wins) >= self._promote_at * len(self.wins):
            self.stage = self._stage + 1

    def _tell(self, info: dict[str, Any]) -> dict[str, Any]:
        info["stage"] = self._stage
        info["action_mask"] = self._place_mask(info["action_mask"])
        return info

    def _place(self, observation: Any) -> Any:
        if self._alignment.features is None:
            return observation
        placed = np.zeros(self._alignment.observation_space.shape or 0, np.float32)
        placed[self._alignment.features[self._stage]] = observation
        return placed

    def _place_mask(self, mask: NDArray[Any]) -> NDArray[Any]:
        placed = np.zeros(int(self._alignment.action_space.n), mask.dtype)
        placed[self._alignment.actions[self._stage]] = mask
        return placed

    def _invert(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """The number in a stage of each action of the common space; -1 where it has none."""
        numbers = np.full(int(self._alignment.action_space.n), -1, np.intp)
        numbers[places] = np.arange(len(places))
        return numbers
