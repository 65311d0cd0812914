from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsecgame.envs.multi_agent import parallel_env
from netsecgame.envs.self_play import ATTACKER, DEFENDER, BatchedSelfPlayEnv
from netsecgame.errors import EpisodeOverError, RoleNotAvailableError

NUM_ENVS = 4
ROUNDS = 220
TASK = "two_networks_defended"


def test_self_play_env_does_what_parallel_envs_do() -> None:
    batch = BatchedSelfPlayEnv(NUM_ENVS, TASK)
    singles = [parallel_env(TASK, attackers=1, defenders=1) for _ in range(NUM_ENVS)]
    rng = np.random.default_rng(2)
    observations, infos = batch.reset(seed=11)
    seen: list[Any] = [single.reset(seed=11 + i)[0] for i, single in enumerate(singles)]
    is_over = [False] * NUM_ENVS
    ends = 0
    for _ in range(ROUNDS):
        for agent in (ATTACKER, DEFENDER):
            for i in range(NUM_ENVS):
                np.testing.assert_array_equal(observations[agent][i], seen[i][agent]["observation"])
                np.testing.assert_array_equal(
                    infos[agent]["action_mask"][i], seen[i][agent]["action_mask"]
                )
        actions = {
            agent: np.array(
                [rng.choice(np.flatnonzero(mask)) for mask in infos[agent]["action_mask"]]
            )
            for agent in (ATTACKER, DEFENDER)
        }
        observations, rewards, terminated, truncated, infos = batch.step(actions)
        for i, single in enumerate(singles):
            if is_over[i]:  # it begins anew instead
                seen[i] = single.reset()[0]
                assert rewards[ATTACKER][i] == rewards[DEFENDER][i] == 0
                assert not terminated[ATTACKER][i]
                is_over[i] = False
                continue
            seen[i], gained, *ended, _ = single.step(
                {agent: int(actions[agent][i]) for agent in single.agents}
            )
            for agent in (ATTACKER, DEFENDER):
                assert rewards[agent][i] == gained[agent]
                assert [terminated[agent][i], truncated[agent][i]] == [e[agent] for e in ended]
            is_over[i] = not single.agents
            ends += is_over[i]
    assert ends > 0


def test_step_in_mode_same_step_has_the_last_observations() -> None:
    plain = BatchedSelfPlayEnv(8, TASK)
    same = BatchedSelfPlayEnv(8, TASK, autoreset_mode="SameStep")
    plain.reset(seed=1)
    same.reset(seed=1)
    while True:
        actions = {
            ATTACKER: plain.world.sample_actions(),
            DEFENDER: plain.world.sample_defender_actions(),
        }
        before, _, ended, _, _ = plain.step(actions)
        _, _, other_ended, _, infos = same.step(actions)
        np.testing.assert_array_equal(ended[DEFENDER], other_ended[DEFENDER])
        if ended[DEFENDER].any():
            break
    for agent in (ATTACKER, DEFENDER):
        rows = infos[agent]["_final_obs"]
        np.testing.assert_array_equal(infos[agent]["final_obs"][rows], before[agent][rows])


def test_spaces_contain_what_is_given() -> None:
    env = BatchedSelfPlayEnv(3, TASK, copy=False)
    observations, infos = env.reset(seed=1)
    for agent in env.agents:
        assert env.observation_space(agent).contains(observations[agent])
        assert env.action_space(agent).contains(env.action_space(agent).sample())
        assert infos[agent]["action_mask"].shape == (3, env.single_action_spaces[agent].n)


def test_step_of_an_ended_game_in_mode_disabled_is_an_error() -> None:
    env = BatchedSelfPlayEnv(2, TASK, autoreset_mode="Disabled")
    env.reset(seed=1)
    nothing = dict.fromkeys(env.agents, np.zeros(2, np.int32))
    while not (ended := env.step(nothing)[2][DEFENDER]).any():
        pass
    with pytest.raises(EpisodeOverError):
        env.step(nothing)
    env.reset(options={"reset_mask": ended})
    env.step(nothing)


def test_self_play_env_of_a_task_without_a_defender_is_an_error() -> None:
    with pytest.raises(RoleNotAvailableError, match="Defender"):
        BatchedSelfPlayEnv(2, "two_networks_small")
