from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import netsecgame.envs
from netsecgame.envs.batch import Backend
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.envs.vector_env import NetSecGameVectorEnv
from netsecgame.errors import ConfigurationError, EpisodeOverError, UnknownActionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUM_ENVS = 6
STEPS = 150
MODES = list(AutoresetMode)
TASK = "two_networks_small"

#: Task and defender: fixed, random starts, a global defender, opponents.
GAMES = [
    ("two_networks_small", None),
    ("two_networks_random", None),
    ("two_networks_global_defender", None),
    ("two_networks_defended", "random"),
    ("two_networks_defended", "scripted"),
    ("three_net_scenario", None),
]


def same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def same_infos(batch: dict[str, Any], single: dict[str, Any]) -> None:
    """Whatever the batch tells, the single environments tell alike."""
    assert "action_mask" in batch
    for key in batch:
        if key.startswith("_"):
            continue
        known = batch[f"_{key}"]
        source = single["final_info"] if key == "is_success" and "final_info" in single else single
        same(known, source[f"_{key}"])
        for i in np.flatnonzero(known):
            same(batch[key][i], source[key][i])


def legal_or_not(rng: np.random.Generator, masks: NDArray[np.int8]) -> NDArray[np.int64]:
    """A random action for each row, mostly a legal one."""
    actions = np.zeros(len(masks), np.int64)
    for i, mask in enumerate(masks):
        legal = np.flatnonzero(mask)
        any_of = legal if len(legal) and rng.random() < 0.9 else np.arange(len(mask))
        actions[i] = rng.choice(any_of)
    return actions


@pytest.mark.parametrize("mode", MODES, ids=[mode.value for mode in MODES])
@pytest.mark.parametrize(("task", "defender"), GAMES)
def test_vector_env_does_what_single_environments_do(
    task: str, defender: str | None, mode: AutoresetMode
) -> None:
    batch = NetSecGameVectorEnv(NUM_ENVS, task, defender=defender, autoreset_mode=mode)
    single: SyncVectorEnv = SyncVectorEnv(
        [lambda: NetSecGameEnv(task, defender=defender)] * NUM_ENVS, autoreset_mode=mode
    )
    rng = np.random.default_rng(1)
    observations, infos = batch.reset(seed=5)
    expected, expected_infos = single.reset(seed=5)
    ends = 0
    for _ in range(STEPS):
        same(observations, expected)
        same_infos(infos, expected_infos)
        actions = legal_or_not(rng, infos["action_mask"])
        observations, *results, infos = batch.step(actions)
        expected, *expected_results, expected_infos = single.step(actions)
        for one, other in zip(results, expected_results, strict=True):
            same(one, other)
        over = np.logical_or(results[1], results[2])
        ends += int(over.sum())
        if mode is AutoresetMode.DISABLED and over.any():
            same(observations, expected)
            observations, infos = batch.reset(options={"reset_mask": over})
            expected, _ = single.reset(options={"reset_mask": over.copy()})
            expected_infos = {**infos}  # those of a partial reset tell of the chosen alone
    assert ends > 0
    assert batch.single_observation_space == single.single_observation_space
    assert batch.single_action_space == single.single_action_space


def test_make_vec_by_id_makes_the_batch() -> None:
    assert netsecgame.envs
    env = gym.make_vec(
        "netsecgame/TwoNetworksSmall-v0",
        num_envs=3,
        vectorization_mode="vector_entry_point",
        autoreset_mode="SameStep",
    )

    assert isinstance(env.unwrapped, NetSecGameVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observations, _ = env.reset(seed=1)
    assert env.observation_space.contains(observations)


def test_reset_without_a_seed_draws_one_first_and_then_goes_on() -> None:
    def first(seed: int | None) -> NDArray[np.float32]:
        env = NetSecGameVectorEnv(8, "two_networks_random")
        return env.reset(seed=seed)[0]

    assert any((first(None) != first(None)).any() for _ in range(3))
    env = NetSecGameVectorEnv(8, "two_networks_random")
    begins = [env.reset(seed=3)[0], env.reset()[0], env.reset(seed=3)[0], env.reset()[0]]
    same(begins[0], begins[2])
    same(begins[1], begins[3])
    assert (begins[0] != begins[1]).any()


def test_arrays_handed_out_are_the_caller_s_unless_it_wants_no_copies() -> None:
    for copy in (True, False):
        env = NetSecGameVectorEnv(4, TASK, copy=copy)
        before, infos = env.reset(seed=1)
        kept, kept_mask = before.copy(), infos["action_mask"].copy()
        for _ in range(20):
            env.step(env.sample_actions())

        assert np.array_equal(before, kept) is copy
        assert np.array_equal(infos["action_mask"], kept_mask) is copy


def test_step_without_masks_tells_none_and_plays_alike() -> None:
    plain, masked = (NetSecGameVectorEnv(4, TASK, action_masks=wants) for wants in (False, True))
    plain.reset(seed=2)
    masked.reset(seed=2)
    for _ in range(30):
        actions = masked.sample_actions()
        one, other = plain.step(actions), masked.step(actions)
        same(one[0], other[0])
        assert "action_mask" not in one[-1]
    same(plain.action_masks(), masked.action_masks())


@pytest.mark.parametrize("backend", list(Backend))
def test_step_of_a_wrong_action_names_it_and_plays_nothing(backend: Backend) -> None:
    env = NetSecGameVectorEnv(3, TASK, backend=backend)
    before, _ = env.reset(seed=1)
    count = env.world.num_actions
    with pytest.raises(UnknownActionError, match=str(count)):
        env.step([0, count, 0])

    same(env.world.observations, before)


def test_step_of_an_ended_episode_in_mode_disabled_is_an_error() -> None:
    env = NetSecGameVectorEnv(2, TASK, autoreset_mode="Disabled")
    env.reset(seed=1)
    while not env.step([0, 0])[3].any():
        pass
    with pytest.raises(EpisodeOverError):
        env.step([0, 0])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"role": "Defender"}, "role: a batch knows only 'Attacker', got 'Defender'"),
        ({"observation": "text"}, "observation: a batch knows only 'flat'"),
        ({"autoreset_mode": "Never"}, "autoreset_mode: expected one of NextStep"),
        ({"defender": "scirpted"}, "did you mean .scripted"),
        ({"defender": "agent"}, "defender: unknown 'agent'.*expected random, scripted"),
        ({"num_envs": 0}, "num_envs: expected at least 1"),
    ],
)
def test_vector_env_of_wrong_options_says_which(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        NetSecGameVectorEnv(**{"num_envs": 2, "task": "two_networks_defended", **options})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"seed": [1, 2]}, "seed: expected 3 seeds, got 2"),
        ({"seed": [1, None, 2]}, "seed: expected a seed for each environment"),
        ({"options": {"reset_mak": 1}}, "options.reset_mak: .*did you mean .reset_mask"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, "mask: expected 3 booleans"),
    ],
)
def test_reset_of_wrong_arguments_says_which(arguments: dict[str, Any], reason: str) -> None:
    env = NetSecGameVectorEnv(3, TASK)
    with pytest.raises(ConfigurationError, match=reason):
        env.reset(**arguments)
