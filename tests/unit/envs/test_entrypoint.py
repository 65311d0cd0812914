from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from netsecgame.envs.entrypoint import create_environment, create_vector_environment
from netsecgame.envs.multi_agent import NetSecGameParallelEnv
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.envs.vector_env import NetSecGameVectorEnv
from netsecgame.errors import ConfigurationError, RoleNotAvailableError, TaskError

TASK = "two_networks_small"
DEFENDED = "two_networks_defended"


def same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_environment_is_the_single_one_of_the_task() -> None:
    env = create_environment(0, TASK)
    direct = NetSecGameEnv(TASK)

    same(env.reset(seed=3)[0], direct.reset(seed=3)[0])
    assert isinstance(env, NetSecGameEnv)
    assert env.render_mode is None


def test_environment_role_and_options_have_an_effect() -> None:
    env = create_environment(0, DEFENDED, "Defender", observation="dict", attacker="random")
    direct = NetSecGameEnv(DEFENDED, "Defender", "dict", attacker="random")

    assert env.observation_space == direct.observation_space
    seen, expected = env.reset(seed=3)[0], direct.reset(seed=3)[0]
    assert seen.keys() == expected.keys()
    for name in seen:
        same(seen[name], expected[name])


def test_environment_parallel_has_as_many_learners_as_asked_for() -> None:
    env = create_environment(0, DEFENDED, kind="parallel", attackers=2)

    assert isinstance(env, NetSecGameParallelEnv)
    assert env.possible_agents == ["attacker_0", "attacker_1", "defender_0"]


@pytest.mark.parametrize("kind", ["single", "parallel"])
def test_environment_enable_rendering_draws_pictures(kind: str) -> None:
    env = create_environment(0, DEFENDED, kind=kind, enable_rendering=True)

    assert env.render_mode == "rgb_array"


def test_environment_render_mode_beats_enable_rendering() -> None:
    env = create_environment(0, TASK, enable_rendering=True, render_mode="ansi")

    assert env.render_mode == "ansi"


def test_environment_of_an_unknown_kind_raises() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'single'"):
        create_environment(0, TASK, kind="singel")
    with pytest.raises(ConfigurationError, match="expected one of single, parallel"):
        create_vector_environment(2, 0, TASK, kind="batch")


def test_environment_parallel_with_a_role_raises() -> None:
    with pytest.raises(ConfigurationError, match=r"role: .*attackers="):
        create_environment(0, DEFENDED, "Defender", kind="parallel")


def test_environment_of_an_unknown_task_raises() -> None:
    with pytest.raises(TaskError, match="there is no such task file"):
        create_environment(0, "no_such_task")


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_is_the_batch_in_the_mode_asked_for(mode: AutoresetMode) -> None:
    vector = create_vector_environment(3, 0, TASK, autoreset_mode=mode)

    assert isinstance(vector, NetSecGameVectorEnv)
    assert vector.num_envs == 3
    assert vector.metadata["autoreset_mode"] is mode


@pytest.mark.parametrize(
    "options",
    [
        {"observation": "flat", "attacker": None, "render_mode": None},
        {"task": DEFENDED, "defender": "scripted"},
        {"action_masks": False, "backend": "numpy"},
    ],
)
def test_vector_of_what_a_batch_knows_is_a_batch(options: dict[str, Any]) -> None:
    vector = create_vector_environment(2, 0, **{"task": TASK, **options})

    assert isinstance(vector, NetSecGameVectorEnv)
    assert ("action_mask" in vector.reset(seed=1)[1]) == options.get("action_masks", True)


@pytest.mark.parametrize(
    "options",
    [
        {"role": "Defender"},
        {"observation": "dict"},
        {"enable_rendering": True},
        {"render_mode": "ansi"},
        {"attacker": "random"},
        {"defender": "stochastic"},
    ],
)
def test_vector_of_what_no_batch_knows_is_of_singles(options: dict[str, Any]) -> None:
    mode = AutoresetMode.SAME_STEP

    vector = create_vector_environment(2, 0, DEFENDED, autoreset_mode=mode, **options)

    assert isinstance(vector, SyncVectorEnv)
    assert vector.metadata["autoreset_mode"] is mode
    rendering = "rgb_array" if "enable_rendering" in options else options.get("render_mode")
    assert vector.render_mode == rendering
    vector.reset(seed=1)
    vector.step(vector.action_space.sample())


def test_vector_of_games_with_several_learners_raises() -> None:
    with pytest.raises(ConfigurationError, match="one learner in each game"):
        create_vector_environment(2, 0, DEFENDED, kind="parallel")


def test_vector_of_a_role_that_is_not_there_raises() -> None:
    with pytest.raises(RoleNotAvailableError):
        create_vector_environment(2, 0, TASK, "Defender")
