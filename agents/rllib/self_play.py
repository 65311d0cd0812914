"""The algorithm: gives out numbered episodes, and learns from them by PPO.

An episode counts when it has come back: its line for the list is made of what is learned from. What
was lost with an env runner was never counted, and is played again by whoever is there.
"""

from __future__ import annotations

from tempfile import gettempdir
from time import monotonic
from typing import TYPE_CHECKING, Any

import ray
from ray.rllib.algorithms.ppo import PPO
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)

from agents.rllib.episode_runner import EpisodeRunner
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from ray.rllib.env.multi_agent_episode import MultiAgentEpisode

    from agents.rllib.episode_runner import Part

#: How long there may be nobody to play.
PATIENCE_S = 300


class SelfPlay(PPO):
    """PPO on numbered episodes.

    Attributes:
        next_episodes: What the next iteration plays, and learns from.
        learned: A line for each episode of the last iteration, in order.
    """

    next_episodes: range
    learned: list[dict[str, Any]]

    @property
    def rounds(self) -> int:
        """The rounds of all episodes, as RLlib has counted them."""
        key = ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME
        return int(self.metrics.peek(key, default=0))

    def weights(self) -> Any:
        """The weights of all policies, by ``rl_module``, role and name."""
        path = f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}"
        return self.learner_group.get_state(path, inference_only=True)[COMPONENT_LEARNER]

    def training_step(self) -> None:
        """Play, and learn from all that was played."""
        parts = self._play(self.next_episodes)
        self.metrics.aggregate([part.metrics for part in parts], key=ENV_RUNNER_RESULTS)
        told = self.learner_group.update(
            episodes=[episode for part in parts for episode in part.episodes],
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.rounds},
            num_epochs=self.config.num_epochs,
            minibatch_size=self.config.minibatch_size,
            shuffle_batch_per_epoch=self.config.shuffle_batch_per_epoch,
        )
        self.metrics.aggregate(told, key=LEARNER_RESULTS)
        self.learned = [
            _describe(number, episode, part.env_runner, self.iteration + 1)
            for part in parts
            for number, episode in zip(part.numbers, part.episodes, strict=True)
        ]

    def _play(self, numbers: range) -> list[Part]:
        group, size = self.env_runner_group, self.config.num_envs_per_env_runner
        left = [numbers[i : i + size] for i in range(0, len(numbers), size)]
        weights = self.weights()
        if not group.num_remote_env_runners():
            return [group.local_env_runner.play(part, weights) for part in left]
        shared = ray.put(weights)
        parts: list[Part] = []
        deadline = monotonic() + PATIENCE_S
        while left:
            runners = group.healthy_env_runner_ids()
            came = self._play_at_once(left[: len(runners)], runners, shared)
            parts += came
            done = {part.numbers for part in came}
            left = [part for part in left if part not in done]
            if came:
                deadline = monotonic() + PATIENCE_S
            elif monotonic() > deadline:
                reason = f"nobody has played for {PATIENCE_S} s; Ray's logs may say why"
                raise ConfigurationError(reason, path="num-env-runners")
            else:
                self.restore_env_runners(group)
        return sorted(parts, key=lambda part: part.numbers.start)

    def _play_at_once(
        self, parts: list[range], runners: list[int], weights: ray.ObjectRef[Any]
    ) -> list[Part]:
        """What comes back of some parts, of which each env runner is given one."""
        if not parts or not runners:
            return []
        came: list[Part] = self.env_runner_group.foreach_env_runner(
            [EpisodeRunner.play] * len(parts),
            kwargs=[{"numbers": part, "weights": weights} for part in parts],
            remote_worker_ids=runners[: len(parts)],
            local_env_runner=False,
        )
        return came

    def _setup_logdir(self) -> None:
        # The base class leaves an empty folder at home for each training.
        self._logdir = gettempdir()


def _describe(
    number: int, episode: MultiAgentEpisode, env_runner: int, iteration: int
) -> dict[str, Any]:
    agents = sorted(episode.agent_episodes.items())
    return {
        "episode": number,
        "iteration": iteration,
        "env_runner": env_runner,
        "rounds": len(episode),
        "won": any(e.get_infos(-1)["won"] for name, e in agents if name.startswith("attacker")),
        "returns": {name: float(e.get_return()) for name, e in agents},
    }
