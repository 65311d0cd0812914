"""The game on a server equals the game here, in every form it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from netsecgame.envs.multi_agent import NetSecGameParallelEnv
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.envs.vector_env import NetSecGameVectorEnv
from netsecgame.remote import RemoteEnvironment, RemoteParallelEnv, RemoteVectorEnv
from tests.integration.remote.equal import assert_equal

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]

ENTRYPOINT = "netsecgame.envs.entrypoint:create_environment"
TASK = "two_networks_small"


def _legal(rng: np.random.Generator, mask: Any) -> int:
    """The number of a legal action; any if none is."""
    legal = np.flatnonzero(mask)
    return int(rng.choice(legal)) if legal.size else 0


@pytest.mark.parametrize("mode", ["process", "inline"])
@pytest.mark.parametrize("role", ["Attacker", "Defender"])
def test_game_single_equals_in_process(host: Host, mode: str, role: str) -> None:
    task = TASK if role == "Attacker" else "two_networks_defended"
    server = host(ENTRYPOINT, mode=mode, kwargs={"task": task, "role": role})
    local = NetSecGameEnv(task, role)
    rng = np.random.default_rng(1)
    with RemoteEnvironment("127.0.0.1", server.port) as env:
        assert env.action_space == local.action_space
        assert env.observation_space == local.observation_space
        seen, expected = env.reset(seed=11), local.reset(seed=11)
        assert_equal(seen, expected)
        info = expected[1]
        ends = 0
        for _ in range(200):
            action = _legal(rng, info["action_mask"])
            outcome = local.step(action)
            assert_equal(env.step(action), outcome)
            info = outcome[4]
            if outcome[2] or outcome[3]:
                seen, expected = env.reset(), local.reset()
                assert_equal(seen, expected)
                info = expected[1]
                ends += 1
        assert ends
    assert server.environments == []


@pytest.mark.parametrize("observation", ["dict", "graph", "text"])
def test_game_observation_of_any_kind_equals_in_process(host: Host, observation: str) -> None:
    kwargs = {"task": TASK, "observation": observation}
    local = NetSecGameEnv(TASK, observation=observation)
    rng = np.random.default_rng(1)
    with RemoteEnvironment("127.0.0.1", host(ENTRYPOINT, kwargs=kwargs).port) as env:
        assert env.observation_space == local.observation_space
        assert_equal(env.reset(seed=2), local.reset(seed=2))
        for _ in range(10):
            action = int(rng.integers(0, 50))
            outcome = local.step(action)
            assert_equal(env.step(action), outcome)
            assert env.observation_space.contains(outcome[0])


@pytest.mark.parametrize("mode", AutoresetMode)
def test_game_vector_equals_in_process(host: Host, mode: AutoresetMode) -> None:
    num_envs = 6
    server = host(ENTRYPOINT, kwargs={"task": TASK})
    local = NetSecGameVectorEnv(num_envs, TASK, autoreset_mode=mode)
    rng = np.random.default_rng(1)
    env = RemoteVectorEnv("127.0.0.1", server.port, num_envs, autoreset_mode=mode)
    assert env.single_action_space == local.single_action_space
    assert env.single_observation_space == local.single_observation_space
    assert env.observation_space == local.observation_space
    expected = local.reset(seed=4)
    assert_equal(env.reset(seed=4), expected)
    masks = expected[1]["action_mask"]
    ends = 0
    for _ in range(200):
        actions = np.array([_legal(rng, mask) for mask in masks])
        seen, outcome = env.step(actions), local.step(actions)
        assert_equal(seen[0], outcome[0])
        # Rewards travel as Gymnasium's own vectors have them, in double precision.
        assert_equal(seen[1], outcome[1].astype(np.float64))
        assert_equal(seen[2:], outcome[2:])
        masks = outcome[4]["action_mask"]
        over = outcome[2] | outcome[3]
        ends += over.sum()
        if mode is AutoresetMode.DISABLED and over.any():
            seen_reset = env.reset(options={"reset_mask": over})
            expected = local.reset(options={"reset_mask": over})
            assert_equal(seen_reset, expected)
            masks = expected[1]["action_mask"]
    assert ends
    env.close()


def test_game_parallel_equals_in_process(host: Host) -> None:
    kwargs = {"kind": "parallel", "task": "two_networks_team", "attackers": 2, "max_cycles": 40}
    server = host(ENTRYPOINT, kwargs=kwargs)
    local = NetSecGameParallelEnv("two_networks_team", attackers=2, max_cycles=40)
    rng = np.random.default_rng(1)
    env = RemoteParallelEnv("127.0.0.1", server.port)
    assert env.possible_agents == local.possible_agents
    for agent in local.possible_agents:
        assert env.action_space(agent) == local.action_space(agent)
        assert env.observation_space(agent) == local.observation_space(agent)
    expected = local.reset(seed=8)
    assert_equal(env.reset(seed=8), expected)
    observations = expected[0]
    for _ in range(200):
        assert env.agents == local.agents
        actions = {agent: _legal(rng, observations[agent]["action_mask"]) for agent in local.agents}
        outcome = local.step(actions)
        assert_equal(env.step(actions), outcome)
        observations = outcome[0]
        if not local.agents:
            expected = local.reset()
            assert_equal(env.reset(), expected)
            observations = expected[0]
    env.close()


def test_game_of_a_plain_client_is_flattened(host: Host) -> None:
    kwargs = {"task": TASK, "observation": "dict"}
    local = NetSecGameEnv(TASK, observation="dict")
    local.reset(seed=1)
    flat = gymnasium.spaces.utils.flatten_space(local.observation_space)
    server = host(ENTRYPOINT, kwargs=kwargs)
    with RemoteEnvironment("127.0.0.1", server.port, extended=False) as env:
        assert env.action_space == local.action_space
        assert env.observation_space.shape == flat.shape
        observation, _ = env.reset()
        for _ in range(100):
            assert env.observation_space.contains(observation)
            observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                observation, _ = env.reset()
