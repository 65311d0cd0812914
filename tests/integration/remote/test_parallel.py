from __future__ import annotations

import gc
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from pettingzoo.utils.conversions import parallel_to_aec

from netsecgame.errors import InvalidActionError, UnsupportedByServerError
from netsecgame.remote import RemoteParallelEnv, RemoteVectorEnv
from tests.integration.remote.entrypoints.agents import Agents
from tests.integration.remote.equal import assert_equal
from tests.pettingzoo_checks import parallel_api_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]


@pytest.fixture
def env(host: Host) -> Iterator[RemoteParallelEnv]:
    """Agents on a server."""
    server = host("agents.py", kwargs={"render_mode": "rgb_array"})
    made = RemoteParallelEnv("127.0.0.1", server.port, render_mode="rgb_array")
    yield made
    made.close()
    assert server.environments == []


def _actions(env: Any) -> dict[str, Any]:
    return {agent: env.action_space(agent).sample() for agent in env.agents}


def test_parallel_equals_the_local_one_step_by_step(env: RemoteParallelEnv) -> None:
    local = Agents()
    assert env.possible_agents == local.possible_agents
    assert env.agents == []
    assert str(env) == "agents_v0"
    for number, agent in enumerate(local.possible_agents):
        assert env.observation_space(agent) == local.observation_space(agent)
        assert env.action_space(agent) == local.action_space(agent)
        local.action_space(agent).seed(number)
    options = {"a": (1, b"2")}
    assert_equal(env.reset(seed=5, options=options), local.reset(seed=5, options=options))
    for _ in range(200):
        actions = _actions(local)
        assert_equal(env.step(actions), local.step(actions))
        assert env.agents == local.agents
        if not local.agents:
            with pytest.raises(ResetNeeded, match="it has ended"):
                env.step({})
            assert_equal(env.reset(), local.reset())
            assert env.agents == local.agents


def test_parallel_passes_the_tests_of_pettingzoo(env: RemoteParallelEnv) -> None:
    parallel_api_test(env, num_cycles=50)


def test_parallel_as_turns_is_played_like_the_local_one(env: RemoteParallelEnv) -> None:
    turns, local = env.aec(), parallel_to_aec(Agents())
    turns.reset(seed=3)
    local.reset(seed=3)
    for agent in local.agent_iter(max_iter=40):
        assert turns.agent_selection == agent
        assert_equal(turns.last(), local.last())
        is_over = local.terminations[agent] or local.truncations[agent]
        action = None if is_over else local.action_space(agent).sample()
        turns.step(action)
        local.step(action)
    assert turns.agents == local.agents == []


def test_parallel_spaces_stay_the_same_objects(env: RemoteParallelEnv) -> None:
    agent = env.possible_agents[0]
    spaces = env.action_space(agent), env.observation_space(agent)
    env.reset()
    env.close()
    assert env.agents == []
    env.reset()
    assert (env.action_space(agent), env.observation_space(agent)) == spaces
    assert env.action_space(agent) is spaces[0]
    assert env.observation_space(agent) is spaces[1]


def test_parallel_action_of_nobody_is_invalid(env: RemoteParallelEnv) -> None:
    env.reset()
    with pytest.raises(InvalidActionError, match="agent 'nobody': expected one of walker_0"):
        env.step({**_actions(env), "nobody": 1})
    env.reset()
    with pytest.raises(InvalidActionError):
        env.step({**_actions(env), "thinker_2": "a word"})
    env.reset()
    assert set(env.step(_actions(env))[0]) == set(env.possible_agents)


def test_parallel_draws_frames_of_now(env: RemoteParallelEnv) -> None:
    env.reset()
    env.step(_actions(env))
    env.step(_actions(env))
    assert_equal(env.render(), np.full((3, 4, 3), 2, np.uint8))


def test_parallel_pickled_connects_anew(env: RemoteParallelEnv) -> None:
    copy = pickle.loads(pickle.dumps(env))
    with pytest.raises(ResetNeeded):
        copy.step({})
    copy.reset()
    assert copy.server_info["env_id"] == 1
    copy.close()


def test_parallel_forgotten_leaves_quietly(
    host: Host, wait_until: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    server = host("agents.py")
    env = RemoteParallelEnv("127.0.0.1", server.port)
    env.reset()
    capfd.readouterr()
    del env
    gc.collect()
    wait_until(lambda: not server.environments)
    assert capfd.readouterr().err == ""


def test_parallel_client_of_another_kind_is_told_what_to_use(host: Host) -> None:
    with pytest.raises(UnsupportedByServerError, match="RemoteEnvironment"):
        RemoteParallelEnv("127.0.0.1", host().port)
    with pytest.raises(UnsupportedByServerError):
        RemoteVectorEnv("127.0.0.1", host("agents.py").port, 2)
