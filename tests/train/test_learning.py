"""What the learners are for: they win."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from agents import ppo, q_learning
from netsecgame.envs.evaluation import Plan, TaskVariant, evaluate
from netsecgame.envs.policies import load_policy

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = (1, 2, 3)
TASK = "two_networks_small"

pytestmark = pytest.mark.timeout(600)


def win_rate(policy: Path, folder: Path) -> float:
    """Over 200 episodes."""
    plan = Plan(TaskVariant.find(TASK), str(policy), episodes=200)
    return evaluate(plan, folder).episodes["win_rate"].value


@pytest.mark.parametrize("seed", SEEDS)
def test_ppo_wins_nearly_always(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ppo.main(["--task", TASK, "--seed", str(seed), "--out", str(tmp_path), "--quiet"]) == 0

    told = re.search(r"won (\d+\.\d)% of 200 episodes", capsys.readouterr().out)
    assert told is not None
    assert float(told[1]) >= 95
    assert win_rate(tmp_path / "policy.npz", tmp_path / "results") >= 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_q_learning_wins_nearly_always(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--task", TASK, "--seed", str(seed), "--out", str(tmp_path), "--quiet"]
    assert q_learning.main([*options, "--tensorboard"]) == 0

    told = re.search(r"(\d+\.\d)% of 200 episodes won", capsys.readouterr().out)
    assert told is not None
    assert float(told[1]) >= 90
    assert win_rate(tmp_path / "policy.npz", tmp_path / "results") >= 0.9
    assert list((tmp_path / "tensorboard").iterdir())


def test_ppo_learns_the_task_with_the_global_defender_if_it_is_told_to(tmp_path: Path) -> None:
    options = ["--task", TASK, "--out", str(tmp_path), "--quiet", "--timesteps", "64"]
    assert ppo.main([*options, "--global-defender"]) == 0

    header = load_policy(tmp_path / "policy.npz").header
    assert header.training["global_defender"] is True
