"""Plays numbered episodes: what an env runner of RLlib does here."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
from ray.rllib.env.multi_agent_episode import MultiAgentEpisode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Part(NamedTuple):
    """Some episodes with RLlib's counts of them: both arrive, or neither.

    Attributes:
        numbers: Which episodes.
        env_runner: Who has played them; 0 is the driver.
        episodes: They, in order.
        metrics: What RLlib has counted since the last part.
    """

    numbers: range
    env_runner: int
    episodes: list[MultiAgentEpisode]
    metrics: Any


class EpisodeRunner(MultiAgentEnvRunner):
    """Plays the episodes it is told, all at once and each to its end.

    RLlib's own takes whichever episodes end first, which are those that the attacker wins, and
    seeds each batch alike.
    """

    def play(self, numbers: range, weights: Mapping[str, Any]) -> Part:
        """Play some episodes.

        The same numbers and weights make the same episodes, whoever plays them.

        Args:
            numbers: Which; at most as many as there are environments.
            weights: Of the policies. They come with each call, because an env runner that was lost
                and started anew has none of its own.
        """
        self.set_state(weights)
        torch.manual_seed(_seed_of(self.config.seed, numbers.start))
        tables = []
        for env, number in zip(self.env.envs, numbers, strict=False):
            game = env.unwrapped
            episode = MultiAgentEpisode(
                str(number),
                observation_space=game.observation_spaces,
                action_space=game.action_spaces,
                agent_to_module_mapping_fn=self.config.policy_mapping_fn,
            )
            seen, infos = game.reset(seed=_seed_of(self.config.seed, number))
            episode.add_env_reset(observations=seen, infos=infos)
            tables.append((game, episode))
        episodes = [episode for _, episode in tables]
        while tables:
            chosen = self._choose([episode for _, episode in tables])
            for (game, episode), (actions, outputs) in zip(tables, chosen, strict=True):
                seen, rewards, terminated, truncated, infos = game.step(actions)
                episode.add_env_step(
                    seen,
                    actions,
                    rewards,
                    infos,
                    terminateds=terminated,
                    truncateds=truncated,
                    extra_model_outputs=outputs,
                )
                self._increase_sampled_metrics(1, seen, episode)
            tables = [table for table in tables if not table[1].is_done]
        self._done_episodes_for_metrics.extend(episodes)
        played = [episode.to_numpy() for episode in episodes]
        return Part(numbers, self.worker_index, played, self.get_metrics())

    def _choose(self, episodes: Sequence[MultiAgentEpisode]) -> list[tuple[Any, Any]]:
        """By episode: an action for each agent that has to act, and what PPO has to know of it."""
        chosen: list[tuple[Any, Any]] = [({}, {}) for _ in episodes]
        turns_of = defaultdict(list)
        for episode, answer in zip(episodes, chosen, strict=True):
            for agent in sorted(episode.get_agents_to_act()):  # a set: in any order
                seen = episode.agent_episodes[agent].get_observations(-1)
                turns_of[episode.module_for(agent)].append((agent, seen, answer))
        for role, turns in turns_of.items():
            module = self.module[role]
            batch = {
                part: torch.from_numpy(np.stack([seen[part] for _, seen, _ in turns]))
                for part in ("observation", "action_mask")
            }
            with torch.inference_mode():
                told = module.forward_exploration({Columns.OBS: batch})
                inputs = told[Columns.ACTION_DIST_INPUTS]
                choices = module.get_exploration_action_dist_cls().from_logits(inputs)
                numbers = choices.sample()
                chances = choices.logp(numbers).numpy()
            for row, (agent, _, (actions, outputs)) in enumerate(turns):
                actions[agent] = int(numbers[row])
                outputs[agent] = {
                    Columns.ACTION_LOGP: chances[row],
                    Columns.ACTION_DIST_INPUTS: inputs[row].numpy(),
                }
        return chosen


def _seed_of(seed: int, episode: int) -> int:
    return seed << 32 | episode
