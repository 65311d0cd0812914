"""Attackers and defenders that learn against each other, in many games at once.

The calls are those of a PettingZoo `ParallelEnv`, whose values are arrays with a row for each game.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from netsecgame.envs.batch.batched_world import BatchedWorld
from netsecgame.envs.batch.options import Autoreset, Defender
from netsecgame.envs.game import open_game
from netsecgame.envs.seeds import draw_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from netsecgame.core.task import GameSpec
    from netsecgame.envs.batch.options import Backend
    from netsecgame.envs.batch.results import BatchStep
    from netsecgame.envs.game import Game

ATTACKER, DEFENDER = "attacker_0", "defender_0"


class BatchedSelfPlayEnv:
    """B games of one learning attacker and one learning defender each.

    Game `i` does what `netsecgame.envs.parallel_env` with one of each does that was reset with the
    seed of `i`: in a round the attacker acts first. A game ends with its attacker's episode; a
    defender that has ended before, by its own goal or step limit, waits until then for its final
    reward, and its actions are ignored.

    Attributes:
        game: What is played.
        num_envs: B.
        possible_agents: ``attacker_0`` and ``defender_0``.
        world: The batch underneath.
    """

    metadata: Mapping[str, Any] = {"name": "netsecgame_self_play_v0", "render_modes": []}

    def __init__(
        self,
        num_envs: int,
        task: Game | GameSpec | str | Path = "two_networks_defended",
        *,
        autoreset_mode: Autoreset | str = Autoreset.NEXT_STEP,
        action_masks: bool = True,
        copy: bool = True,
        backend: Backend | str | None = None,
        threads: int | None = None,
    ) -> None:
        """Set up the games; `reset` begins their first episodes.

        Args:
            num_envs: B, at least 1.
            task: A task with a Defender: a file, the name of a shipped one, or what is loaded.
            autoreset_mode: What happens when an episode ends; as for vector environments.
            action_masks: Whether infos have the masks of legal actions.
            copy: Whether arrays that are handed out are the caller's. If not, they change with the
                next step.
            backend: ``numba`` or ``numpy``; None takes numba where it is installed.
            threads: Of numba; None takes as many as there are processors.

        Raises:
            ConfigurationError: If an option makes no sense, or the task is wrong.
            RoleNotAvailableError: If the task has no Defender.
        """
        self.game = open_game(task)
        self.num_envs = num_envs
        self.possible_agents = [ATTACKER, DEFENDER]
        self.world = BatchedWorld(
            self.game.spec,
            num_envs,
            autoreset=autoreset_mode,
            defender=Defender.AGENT,
            with_masks=action_masks,
            with_observations=True,
            backend=backend,
            threads=threads,
        )
        seen = spaces.Box(0, 1, (self.world.layout.num_features + 1,), np.float32)
        numbers = {ATTACKER: self.world.num_actions, DEFENDER: self.world.defender_index.size}
        self.single_observation_spaces = dict.fromkeys(self.possible_agents, seen)
        self.single_action_spaces = {
            agent: spaces.Discrete(size) for agent, size in numbers.items()
        }
        self._copies = copy
        self._rng = np.random.default_rng()
        self._has_begun = False

    @property
    def agents(self) -> list[str]:
        """Who plays: always both, since games end at different times."""
        return list(self.possible_agents)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The observations of an agent in all games, (B, F + 1)."""
        return batch_space(self.single_observation_spaces[agent], self.num_envs)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The actions of an agent in all games, (B,)."""
        return batch_space(self.single_action_spaces[agent], self.num_envs)

    def reset(
        self,
        seed: int | Sequence[int] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, dict[str, Any]]]:
        """Begin new episodes; observations and infos by agent.

        Args:
            seed: Game `i` gets seed + i; or one for each. None goes on with the random streams as
                they are, and draws seeds before the first episode.
            options: ``reset_mask``, (B,) bool: which games begin anew; all without it.
        """
        if seed is None and not self._has_begun:
            seed = draw_seed(self._rng)
        self._has_begun = True
        step = self.world.reset(seed, (options or {}).get("reset_mask"))
        return self._observations(step), self._infos(step)

    def step(
        self, actions: Mapping[str, ArrayLike]
    ) -> tuple[
        dict[str, NDArray[np.float32]],
        dict[str, NDArray[np.float32]],
        dict[str, NDArray[np.bool_]],
        dict[str, NDArray[np.bool_]],
        dict[str, dict[str, Any]],
    ]:
        """Play a round in each game.

        Args:
            actions: By agent, numbers of its actions, (B,) of integers.

        Returns:
            By agent: observations (B, F + 1) float32, rewards (B,) float32, terminated and
            truncated (B,) bool, and infos.

        Raises:
            KeyError: If an agent has no actions.
            UnknownActionError: If there is no such action; nothing is played then.
            EpisodeOverError: In mode DISABLED, if a game has to be reset first.
        """
        step = self.world.step(actions[ATTACKER], actions[DEFENDER])
        assert step.defender_rewards is not None
        ended = step.terminated | step.truncated
        return (
            self._observations(step),
            {ATTACKER: self._own(step.rewards), DEFENDER: self._own(step.defender_rewards)},
            {ATTACKER: self._own(step.terminated), DEFENDER: ended},
            {ATTACKER: self._own(step.truncated), DEFENDER: np.zeros_like(ended)},
            self._infos(step),
        )

    def close(self) -> None:
        """Nothing to let go of."""

    def _observations(self, step: BatchStep) -> dict[str, NDArray[np.float32]]:
        assert step.observations is not None
        assert step.defender_observations is not None
        return {
            ATTACKER: self._own(step.observations),
            DEFENDER: self._own(step.defender_observations),
        }

    def _infos(self, step: BatchStep) -> dict[str, dict[str, Any]]:
        assert step.defender_done is not None
        infos: dict[str, dict[str, Any]] = {ATTACKER: {}, DEFENDER: {}}
        ended = step.terminated | step.truncated
        infos[DEFENDER]["is_waiting"] = step.defender_done & ~ended
        for agent, masks, final in (
            (ATTACKER, step.action_masks, step.final_observations),
            (DEFENDER, step.defender_masks, step.final_defender_observations),
        ):
            if masks is not None:
                infos[agent]["action_mask"] = self._own(masks.view(np.int8))
            if final is not None:
                infos[agent]["final_obs"] = self._own(final)
                infos[agent]["_final_obs"] = ended
        return infos

    def _own(self, array: NDArray[Any]) -> NDArray[Any]:
        return array.copy() if self._copies else array
