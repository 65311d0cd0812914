from __future__ import annotations

import gc
import pickle
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from netsecgame.errors import (
    ConnectError,
    EnvironmentRaisedError,
    InvalidActionError,
    RemoteConfigError,
    ServerFullError,
)
from netsecgame.remote import RemoteVectorEnv
from tests.integration.remote.entrypoints.mirror import Mirror
from tests.integration.remote.entrypoints.obedient import GO, RAISE
from tests.integration.remote.equal import assert_equal
from tests.integration.remote.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]

NUM_ENVS = 5
#: So few steps that episodes are cut off, and that the poles of some fall before.
MAX_STEPS = 23


def _connect(server: RemoteServer, num_envs: int = NUM_ENVS, **options: Any) -> RemoteVectorEnv:
    return RemoteVectorEnv("127.0.0.1", server.port, num_envs, **options)


@pytest.fixture
def carts(host: Host) -> Iterator[Callable[[AutoresetMode], tuple[RemoteVectorEnv, Any]]]:
    """Makes a vector of carts on a server, and an equal one here."""
    made: list[RemoteVectorEnv] = []
    kwargs = {"name": "CartPole-v1", "max_episode_steps": MAX_STEPS}
    server = host("made.py", kwargs=kwargs)

    def make(mode: AutoresetMode) -> tuple[RemoteVectorEnv, Any]:
        made.append(_connect(server, autoreset_mode=mode))
        local = SyncVectorEnv(
            [lambda: gymnasium.make("CartPole-v1", max_episode_steps=MAX_STEPS)] * NUM_ENVS,
            autoreset_mode=mode,
        )
        return made[-1], local

    yield make
    for env in made:
        env.close()


@pytest.mark.parametrize("mode", AutoresetMode)
def test_vector_equals_the_local_one_step_by_step(
    carts: Callable[[AutoresetMode], tuple[RemoteVectorEnv, Any]], mode: AutoresetMode
) -> None:
    env, local = carts(mode)
    assert env.single_action_space == local.single_action_space
    assert env.single_observation_space == local.single_observation_space
    assert env.action_space == local.action_space
    assert env.observation_space == local.observation_space
    assert env.num_envs == NUM_ENVS
    assert env.metadata["autoreset_mode"] is mode
    assert env.spec == local.spec
    assert_equal(env.reset(seed=3), local.reset(seed=3))
    local.action_space.seed(1)
    ends = np.zeros(2, int)
    for _ in range(200):
        actions = local.action_space.sample()
        outcome = local.step(actions)
        assert_equal(env.step(actions), outcome)
        ends += [outcome[2].sum(), outcome[3].sum()]
        over = outcome[2] | outcome[3]
        if mode is AutoresetMode.DISABLED and over.any():
            options = {"reset_mask": over}
            assert_equal(env.reset(options=options), local.reset(options={"reset_mask": over}))
            assert options == {"reset_mask": over}
    assert ends.all()
    seeds = [7, None, 9, 2**40, 11]
    local.reset(seed=seeds)
    observations, _ = env.reset(seed=seeds)
    # One of them drew its own.
    assert_equal(np.delete(observations, 1, 0), np.delete(_local_observations(local), 1, 0))


def _local_observations(local: Any) -> Any:
    return local._observations.copy()


@pytest.mark.parametrize("name", ["dict", "tuple", "text", "sequence", "multi_discrete_start"])
def test_vector_of_any_space_equals_the_local_one(host: Host, name: str) -> None:
    server = host("mirror.py", kwargs={"action": name, "ends_after": 3})
    env = _connect(server, 2)
    local = SyncVectorEnv([partial(Mirror, env_id, name, ends_after=3) for env_id in (0, 1)])
    assert env.action_space == local.action_space
    assert env.observation_space == local.observation_space
    assert_equal(env.reset(seed=1), local.reset(seed=1))
    local.action_space.seed(2)
    for _ in range(7):
        actions = local.action_space.sample()
        outcome = local.step(actions)
        assert_equal(env.step(actions), outcome)
        assert env.observation_space.contains(outcome[0])
    env.close()


def test_vector_takes_its_numbers_in_a_row(host: Host) -> None:
    server = host("mirror.py", max_environments=6)
    first = _connect(server, 4)
    assert first.reset()[1]["env_id"].tolist() == [0, 1, 2, 3]
    with pytest.raises(ServerFullError):
        _connect(server, 3)
    second = _connect(server, 2)
    assert second.reset()[1]["env_id"].tolist() == [4, 5]
    first.close()
    second.close()
    assert server.environments == []


def test_vector_options_reach_every_environment(host: Host) -> None:
    env = _connect(host("mirror.py"), 2)
    _, infos = env.reset(options={"a": (1, b"2")})
    assert infos["options"]["a"].tolist() == [(1, b"2")] * 2
    env.close()


def test_vector_arguments_without_sense_are_refused(host: Host) -> None:
    with pytest.raises(RemoteConfigError, match="num_envs"):
        RemoteVectorEnv("127.0.0.1", 1, 0)
    with pytest.raises(ValueError, match="sometimes"):
        RemoteVectorEnv("127.0.0.1", 1, 2, autoreset_mode="sometimes")
    env = _connect(host(), 2)
    for mask in ([True, False], np.ones(3, np.bool_), np.zeros(2, np.bool_), np.ones(2)):
        with pytest.raises(ValueError, match="reset_mask"):
            env.reset(options={"reset_mask": mask})
    with pytest.raises(ValueError, match="seed"):
        env.reset(seed=[1])
    env.close()


def test_vector_errors_need_a_reset(host: Host) -> None:
    env = _connect(host(), 2)
    with pytest.raises(ResetNeeded):
        env.step(np.array([GO, GO]))
    env.reset()
    with pytest.raises(EnvironmentRaisedError, match="told to raise"):
        env.step(np.array([GO, RAISE]))
    with pytest.raises(ResetNeeded):
        env.step(np.array([GO, GO]))
    env.reset()
    with pytest.raises(InvalidActionError):
        env.step(np.array([GO, GO, GO]))
    observations, _ = env.reset()
    assert observations[:, 0].tolist() == [0, 1]
    env.close()
    env.close()
    with pytest.raises(ResetNeeded):
        env.step(np.array([GO, GO]))
    assert env.reset()[0][:, 1].tolist() == [1, 1]
    env.close()


def test_vector_of_a_server_that_was_killed_reconnects_at_reset() -> None:
    with ServerProcess("obedient.py") as server:
        env = RemoteVectorEnv("127.0.0.1", server.port, 3)
        env.reset()
        server.kill()
        with pytest.raises(ConnectError):
            env.step(np.zeros(3, np.int64))
        server.start()
        mask = np.array([True, False, False])
        observations, _ = env.reset(options={"reset_mask": mask})
        assert observations[:, 1].tolist() == [1, 1, 1]  # all of them are new
        env.close()


def test_vector_pickled_connects_anew(host: Host) -> None:
    server = host()
    env = _connect(server, 2)
    copy = pickle.loads(pickle.dumps(env))
    with pytest.raises(ResetNeeded):
        copy.step(np.zeros(2, np.int64))
    assert copy.reset()[0][:, 0].tolist() == [2, 3]
    copy.close()
    env.close()


def test_vector_forgotten_leaves_quietly(
    host: Host, wait_until: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    server = host()
    env = _connect(server)
    env.reset()
    capfd.readouterr()
    del env
    gc.collect()
    wait_until(lambda: not server.environments)
    assert capfd.readouterr().err == ""


def test_vector_renders_all_environments(host: Host) -> None:
    server = host("mirror.py", kwargs={"render_mode": "rgb_array"})
    env = _connect(server, 2, render_mode="rgb_array")
    env.reset()
    env.step(np.array([1, 2]))
    frames = env.render()
    assert_equal(frames, (np.full((4, 4, 3), 1, np.uint8),) * 2)
    env.close()
    shown: list[Any] = []
    env = _connect(server, 2, render_mode="human", viewer=shown.append)
    env.reset()
    assert env.render() is None
    assert [frame.shape for frame in shown] == [(8, 4, 3)]
    env.close()
