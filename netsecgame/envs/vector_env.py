"""Many copies of one game as a Gymnasium vector environment, on the batched world."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from netsecgame.envs.batch.batched_world import BatchedWorld
from netsecgame.envs.batch.options import Defender, read_option
from netsecgame.envs.game import open_game
from netsecgame.envs.seeds import draw_seed
from netsecgame.errors import ConfigurationError, suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from netsecgame.core.task import GameSpec
    from netsecgame.envs.batch.options import Backend
    from netsecgame.envs.batch.results import BatchStep
    from netsecgame.envs.game import Game

    Floats = NDArray[np.float32]
    Flags = NDArray[np.bool_]


class Opponent(StrEnum):
    """Who plays against the attackers; see `netsecgame.envs.batch.Defender`."""

    RANDOM = Defender.RANDOM.value
    SCRIPTED = Defender.SCRIPTED.value


class NetSecGameVectorEnv(VectorEnv[Any, Any, Any]):
    """B attackers, each in a game of its own.

    Environment `i` does what the single environment does that was reset with the seed of `i`, step
    by step; tests compare the two.

    Attributes:
        game: What is played.
        world: The batch underneath, for who wants states as words.
    """

    def __init__(  # noqa: PLR0913 - options, by name only
        self,
        num_envs: int,
        task: Game | GameSpec | str | Path,
        role: str = "Attacker",
        observation: str = "flat",
        *,
        defender: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        action_masks: bool = True,
        copy: bool = True,
        backend: Backend | str | None = None,
        threads: int | None = None,
        render_mode: None = None,
    ) -> None:
        """Set up the environments; `reset` begins their first episodes.

        Args:
            num_envs: B, at least 1.
            task: A task file, the name of a shipped task, or what is loaded already.
            role: Only ``Attacker``: a learning defender is in `SelfPlayEnv`.
            observation: Only ``flat``.
            defender: ``random`` or ``scripted``, if one plays along.
            autoreset_mode: What happens when an episode ends.
            action_masks: Whether infos have the mask of legal actions, which takes most of the
                time of a step.
            copy: Whether arrays that are handed out are the caller's. If not, they change with the
                next step.
            backend: ``numba`` or ``numpy``; None takes numba where it is installed.
            threads: Of numba; None takes as many as there are processors.
            render_mode: None: there are no pictures of a batch.

        Raises:
            ConfigurationError: If an option makes no sense, or the task is wrong.
            RoleNotAvailableError: If the task has no such role.
        """
        _check_only("role", role, "Attacker")
        _check_only("observation", observation, "flat")
        _check_only("render_mode", render_mode, None)
        if defender is not None:
            read_option(Opponent, defender, "defender")
        self.game = open_game(task)
        self.num_envs = num_envs
        mode = _read_mode(autoreset_mode)
        self.metadata = {"autoreset_mode": mode, "render_modes": []}
        self.world = BatchedWorld(
            self.game.spec,
            num_envs,
            autoreset=mode.value,
            defender=defender,
            with_masks=action_masks,
            with_observations=True,
            backend=backend,
            threads=threads,
        )
        self.single_observation_space = spaces.Box(
            0, 1, (self.world.layout.num_features + 1,), np.float32
        )
        self.single_action_space = spaces.Discrete(self.world.num_actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._copies = copy
        self._has_begun = False
        self._everyone = np.ones(num_envs, np.bool_)
        self._everyone.flags.writeable = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Floats, dict[str, Any]]:
        """Begin new episodes; observations (B, F + 1) float32, and infos.

        Args:
            seed: Environment `i` gets seed + i; or one for each. None goes on with the random
                streams as they are, and draws seeds before the first episode.
            options: ``reset_mask``, (B,) bool: which environments begin anew; all without it.

        Raises:
            ConfigurationError: If seeds or mask do not fit, or there is another option.
        """
        mask = self._read_options(options)
        if not isinstance(seed, (int, type(None))) and None in list(seed):
            raise ConfigurationError("expected a seed for each environment, or None", path="seed")
        super().reset(seed=seed if isinstance(seed, int) else None)
        if seed is None and not self._has_begun:
            seed = draw_seed(self.np_random)
        self._has_begun = True
        step = self.world.reset(seed, mask)  # type: ignore[arg-type]  # no None is in it
        return self._observations(step), self._infos(step)

    def step(
        self, actions: ArrayLike
    ) -> tuple[Floats, NDArray[np.float32], Flags, Flags, dict[str, Any]]:
        """Play one action in each environment.

        Args:
            actions: Numbers of actions, (B,) of integers.

        Returns:
            Observations (B, F + 1) float32, rewards (B,) float32, terminated and truncated (B,)
            bool, and infos.

        Raises:
            UnknownActionError: If there is no such action; nothing is played then.
            EpisodeOverError: In mode DISABLED, if an environment has to be reset first; likewise
                before the first reset.
        """
        step = self.world.step(actions)
        return (
            self._observations(step),
            self._own(step.rewards),
            self._own(step.terminated),
            self._own(step.truncated),
            self._infos(step),
        )

    def sample_actions(self) -> NDArray[np.int32]:
        """A random legal action for each environment, (B,) int32."""
        return self.world.sample_actions()

    def action_masks(self) -> Flags:
        """Whether each action is legal now, (B, N) bool."""
        return self.world.action_masks()

    def _observations(self, step: BatchStep) -> Floats:
        assert step.observations is not None
        return self._own(step.observations)

    def _infos(self, step: BatchStep) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        if step.action_masks is not None:
            infos["action_mask"] = self._own(step.action_masks.view(np.int8))
            infos["_action_mask"] = self._everyone
        ended = step.terminated | step.truncated
        if ended.any():
            infos["is_success"] = step.succeeded.copy()
            infos["_is_success"] = ended
            if step.final_observations is not None:
                final = np.full(self.num_envs, None, object)
                for i in np.flatnonzero(ended):
                    final[i] = step.final_observations[i].copy()
                infos["final_obs"] = final
                infos["_final_obs"] = ended
        return infos

    def _own(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy() if self._copies else array

    def _read_options(self, options: dict[str, Any] | None) -> Flags | None:
        given = dict(options or {})
        mask = given.pop("reset_mask", None)
        if given:
            name = next(iter(given))
            hint = suggest_nearest(str(name), ["reset_mask"])
            raise ConfigurationError(f"there is no such option{hint}", path=f"options.{name}")
        checked: Flags | None = mask
        return checked


def make_vector_env(num_envs: int = 1, **options: Any) -> NetSecGameVectorEnv:
    """What `gymnasium.make_vec` calls; options as for `NetSecGameVectorEnv`."""
    return NetSecGameVectorEnv(num_envs, **options)


def _read_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        known = ", ".join(each.value for each in AutoresetMode)
        raise ConfigurationError(
            f"expected one of {known}, got {mode!r}", path="autoreset_mode"
        ) from None


def _check_only(name: str, given: object, only: object) -> None:
    if given != only:
        raise ConfigurationError(
            f"a batch knows only {only!r}, got {given!r}; vectorization_mode='sync' has the others",
            path=name,
        )
