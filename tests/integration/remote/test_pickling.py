from __future__ import annotations

import multiprocessing
import pickle
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AsyncVectorEnv

from netsecgame.remote import RemoteEnvironment
from tests.integration.remote.equal import assert_equal

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]


def _play(env: RemoteEnvironment, answers: Connection) -> None:
    """What another process does with its copy."""
    observation, _ = env.reset(seed=3)
    answers.send((observation, env.step(1), env.server_info["env_id"]))
    env.close()


def _connect(port: int) -> gymnasium.Env[Any, Any]:
    return RemoteEnvironment("127.0.0.1", port)


def test_pickled_copy_connects_anew_at_its_reset(host: Host) -> None:
    server = host("made.py", kwargs={"name": "CartPole-v1"})
    env = RemoteEnvironment("127.0.0.1", server.port, render_mode="rgb_array")
    env.action_space.seed(4)
    copy = pickle.loads(pickle.dumps(env))
    assert len(server.environments) == 1
    assert copy.render_mode == "rgb_array"
    assert [copy.action_space.sample() for _ in range(9)] == [
        env.action_space.sample() for _ in range(9)
    ]
    with pytest.raises(ResetNeeded, match="no episode has begun"):
        copy.step(0)
    with pytest.raises(ResetNeeded):
        copy.render()
    assert_equal(copy.reset(seed=1), env.reset(seed=1))
    assert_equal(copy.step(1), env.step(1))
    assert len(server.environments) == 2
    copy.close()
    env.close()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_pickled_copy_plays_in_another_process(host: Host, method: str) -> None:
    server = host("made.py", kwargs={"name": "CartPole-v1"})
    local = gymnasium.make("CartPole-v1")
    expected = local.reset(seed=3)[0], local.step(1)
    context = multiprocessing.get_context(method)
    with RemoteEnvironment("127.0.0.1", server.port) as env:
        env.reset()
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_play, args=(env, there))  # type: ignore[attr-defined]
        process.start()
        there.close()
        observation, outcome, env_id = here.recv()
        process.join()
        assert process.exitcode == 0
        assert_equal((observation, outcome), expected)
        assert env_id == 1
        env.step(0)  # this one goes on


def test_async_vector_of_remote_environments_equals_the_local_one(host: Host) -> None:
    server = host("made.py", kwargs={"name": "CartPole-v1"})
    envs = AsyncVectorEnv([partial(_connect, server.port)] * 4, context="spawn")
    local = gymnasium.make_vec("CartPole-v1", 4, vectorization_mode="sync")
    assert_equal(envs.reset(seed=1)[0], local.reset(seed=1)[0])
    local.action_space.seed(2)
    for _ in range(60):
        actions = local.action_space.sample()
        seen, expected = envs.step(actions), local.step(actions)
        assert_equal(seen[:4], expected[:4])
        if np.any(expected[2]):
            break
    envs.close()
    local.close()
