from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from stable_baselines3.common.env_checker import check_env

import netsecgame.envs
from agents.ppo import GameVecEnv, main
from netsecgame.envs import NetSecGameVectorEnv
from netsecgame.envs.policies import NetworkPolicy, Selection, load_policy
from netsecgame.envs.registration import TASK_IDS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)

TINY = ["--task", "two_networks_tiny", "--num-envs", "16", "--quiet"]


def run(out: Path, *arguments: str) -> None:
    assert main([*TINY, "--out", str(out), *arguments]) == 0


@pytest.mark.parametrize("name", sorted(TASK_IDS))
def test_single_env_passes_the_checker_of_stable_baselines(name: str) -> None:
    assert netsecgame.envs
    check_env(gymnasium.make(name).unwrapped, warn=True)


def test_vec_env_tells_of_ends_as_stable_baselines_wants_it() -> None:
    env = GameVecEnv(NetSecGameVectorEnv(8, "two_networks_tiny", autoreset_mode="SameStep"))
    env.seed(1)
    env.reset()
    ends = 0
    for _ in range(200):
        masks = np.stack(env.env_method("action_masks"))
        actions = np.array([np.flatnonzero(mask)[0] for mask in masks])
        observations, _, dones, infos = env.step(actions)
        for i in np.flatnonzero(dones):
            ends += 1
            assert infos[i]["TimeLimit.truncated"]
            assert infos[i]["terminal_observation"][-1] == 1
            assert observations[i][-1] == 0
    assert ends > 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ppo")
    run(out, "--timesteps", "60000", "--seed", "3", "--checkpoint-every", "4096")
    return out


def test_main_learns_to_win(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(trained, "--timesteps", "1", "--resume")

    said = capsys.readouterr().out
    share = float(said.rpartition("won ")[2].partition("%")[0])
    assert share >= 95


def test_exported_policy_plays_what_the_learner_would(trained: Path) -> None:
    policy = load_policy(trained / "policy.npz")
    assert isinstance(policy, NetworkPolicy)
    policy.selection = Selection.ARGMAX
    last = max((trained / "checkpoints").glob("*.zip"), key=lambda path: path.stat().st_mtime_ns)
    model: Any = MaskablePPO.load(last)
    env = NetSecGameVectorEnv(8, "two_networks_tiny")
    policy.check(env.game)
    observations, infos = env.reset(seed=5)
    for _ in range(50):
        masks = infos["action_mask"].view(np.bool_)
        actions, _ = model.predict(observations, action_masks=masks, deterministic=True)
        mine = [policy.choose(o, m) for o, m in zip(observations, masks, strict=True)]
        assert mine == actions.tolist()
        observations, *_, infos = env.step(env.sample_actions())


def test_main_resumed_goes_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    run(tmp_path, "--timesteps", "2048", "--stop-at", "0", "--checkpoint-every", "1024")
    run(tmp_path, "--timesteps", "4096", "--stop-at", "0", "--resume")

    header = load_policy(tmp_path / "policy.npz").header
    assert header.training["timesteps"] == 4096
    assert len(list((tmp_path / "checkpoints").glob("*.zip"))) >= 3
    assert list((tmp_path / "tensorboard").rglob("events.*"))


def test_main_of_an_unknown_task_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--task", "two_network_tiny", "--out", str(tmp_path)]) == 2
    assert "did you mean" in capsys.readouterr().err
