"""Gymnasium's own checkers on every environment; their warnings are errors here."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from netsecgame.envs.observations import KINDS
from netsecgame.envs.registration import REMOTE_ID, TASK_ID, TASK_IDS

#: What there is to make: the options of each environment, by its name.
ENVIRONMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in TASK_IDS},
    "defended": (TASK_ID, {"task": "two_networks_defended", "defender": "scripted"}),
    "watched": (TASK_ID, {"task": "two_networks_global_defender"}),
    "random": (TASK_ID, {"task": "two_networks_random"}),
    "dynamic": (TASK_ID, {"task": "two_networks_small_dynamic"}),
    "defender": (TASK_ID, {"task": "two_networks_defended", "role": "Defender"}),
    "defender of a team": (
        TASK_ID,
        {"task": "two_networks_team", "role": "Defender", "attacker": "random"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_of_each_kind_passes_the_checker(name: str, kind: str) -> None:
    env_id, options = ENVIRONMENTS[name]
    env = gymnasium.make(env_id, observation=kind, **options)
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["netsecgame/ThreeNets-v0", "random", "defender"])
def test_environment_same_seed_gives_the_same_trajectory(name: str, kind: str) -> None:
    env_id, options = ENVIRONMENTS[name]
    one, other = (gymnasium.make(env_id, observation=kind, **options) for _ in range(2))
    one.action_space.seed(7)
    for seed in (3, None):  # the second episode goes on with the random streams of the first
        told, info = one.reset(seed=seed)
        assert _same((told, info), other.reset(seed=seed))
        is_over = False
        while not is_over:
            assert told in one.observation_space
            action = one.action_space.sample(info["action_mask"])
            step = one.step(action)
            assert _same(step, other.step(action))
            told, _, terminated, truncated, info = step
            is_over = terminated or truncated
        assert told in one.observation_space


@pytest.mark.parametrize("kind", KINDS)
def test_environments_side_by_side_in_gymnasiums_own_vector_run(kind: str) -> None:
    envs = gymnasium.make_vec(
        "netsecgame/TwoNetworksTiny-v0", 2, vectorization_mode="sync", observation=kind
    )
    envs.reset(seed=1)
    for _ in range(60):  # past the step limit, so there is a reset in it
        _, rewards, terminated, _, infos = envs.step(envs.action_space.sample())
    assert infos["action_mask"].shape == (2, 215)
    assert rewards.shape == terminated.shape == (2,)
    envs.close()


def test_make_unknown_id_is_told_the_nearest() -> None:
    with pytest.raises(gymnasium.error.NameNotFound, match="TwoNetworks"):
        gymnasium.make("netsecgame/TwoNetwork-v0")


def test_registration_has_every_id() -> None:
    known = {name for name in gymnasium.registry if name.startswith("netsecgame/")}
    assert known == {*TASK_IDS, TASK_ID, REMOTE_ID}


def _same(one: Any, other: Any) -> bool:
    """Whether two results of an environment are the same to the last bit."""
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other)) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
