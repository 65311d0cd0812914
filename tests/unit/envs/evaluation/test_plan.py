from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netsecgame.core.task import DEFAULT_DETECTION
from netsecgame.envs.evaluation import Plan, TaskVariant
from netsecgame.envs.evaluation.plan import episode_seed
from netsecgame.errors import ConfigurationError, TaskError
from netsecgame.game.loading import load_game
from netsecgame.game_components import ActionType, AgentRole

TASKS = Path(__file__).resolve().parents[4] / "task_configs"


def _variant(task: str, **changes: Any) -> TaskVariant:
    return TaskVariant.find(TASKS / f"{task}.yaml", **changes)


# --- tasks ----------------------------------------------------------------------------------------


def test_load_nothing_changed_is_the_game_of_the_file() -> None:
    assert _variant("two_networks").load() == load_game(TASKS / "two_networks.yaml")


def test_load_global_defender_switched_on_has_the_default_table() -> None:
    task = _variant("two_networks", global_defender=True).load().task

    assert task.detection == DEFAULT_DETECTION


def test_load_global_defender_of_the_task_keeps_its_own_table() -> None:
    own = _variant("two_networks_global_defender", global_defender=True).load().task.detection

    assert own is not None
    assert own == load_game(TASKS / "two_networks_global_defender.yaml").task.detection
    assert own[ActionType.ScanNetwork] != DEFAULT_DETECTION[ActionType.ScanNetwork]


def test_load_global_defender_switched_off_is_gone() -> None:
    assert (
        _variant("two_networks_global_defender", global_defender=False).load().task.detection
        is None
    )


def test_load_step_limit_is_that_of_the_attacker_alone() -> None:
    roles = _variant("two_networks_team", max_steps=7).load().task.roles

    assert roles[AgentRole.Attacker].max_steps == 7
    assert roles[AgentRole.Defender].max_steps == 100


def test_load_attacker_without_step_limit_is_refused() -> None:
    values = {
        "coordinator": {
            "agents": {
                "Attacker": {
                    "goal": {"controlled_hosts": ["192.168.1.2"]},
                    "start_position": {"controlled_hosts": ["192.168.2.2"]},
                }
            }
        },
        "env": {"scenario": "two_networks_small"},
    }

    with pytest.raises(ConfigurationError, match=r"endless: .*no step limit"):
        TaskVariant("endless", values).load()
    assert TaskVariant("endless", values, max_steps=9).load() is not None


def test_find_no_such_task_names_the_nearest() -> None:
    with pytest.raises(TaskError, match="did you mean 'two_networks_small'"):
        TaskVariant.find("two_network_small")


# --- plans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"agent": "randm"}, r"agent: there is no 'randm' \(did you mean 'random'\?\); expected"),
        ({"agent": "no-repeat"}, "did you mean 'no-repeat-random'"),
        ({"agent": "none"}, "agent: there is no 'none'"),
        ({"defender": "stocastic"}, "defender: .*did you mean 'stochastic'"),
        ({"agent": "gone.npz"}, "agent: there is no policy file 'gone.npz'"),
        ({"episodes": 0}, "episodes: expected at least 1, got 0"),
        ({"seeds": 0}, "seeds: expected at least 1, got 0"),
        ({"benign": -1}, "benign: expected at least 0, got -1"),
    ],
)
def test_plan_wrong_setting_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Plan(**{"task": _variant("two_networks"), "agent": "random", **settings})


def test_configuration_says_what_is_played() -> None:
    plan = Plan(_variant("two_networks", global_defender=True), "random", episodes=5)
    settings = plan.configuration(plan.task.load())

    assert settings["task"] == "two_networks"
    assert settings["global_defender"] is True
    assert settings["max_steps"] == 100
    assert (settings["agent"], settings["defender"]) == ("random", "none")
    assert (settings["episodes"], settings["seeds"]) == (5, 1)


def test_configuration_policy_file_that_changed_differs(tmp_path: Path) -> None:
    policy = tmp_path / "mine.npz"
    policy.write_bytes(b"one")
    plan = Plan(_variant("two_networks"), str(policy))
    spec = plan.task.load()
    before = plan.configuration(spec)
    policy.write_bytes(b"two")

    assert before["agent"].startswith("mine.npz (sha256 ")
    assert plan.configuration(spec)["agent"] != before["agent"]


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "scripted"},
        {"episodes": 6},
        {"seeds": 2},
        {"benign": 1},
        {"defender": "random"},
        {"task": _variant("two_networks_small")},
        {"task": _variant("two_networks", max_steps=7)},
        {"task": _variant("two_networks", global_defender=True)},
    ],
)
def test_digest_another_setting_differs(change: dict[str, Any]) -> None:
    plan = Plan(_variant("two_networks"), "random", episodes=5)
    other = replace(plan, **change)

    assert plan.digest(plan.task.load()) == plan.digest(plan.task.load())
    assert other.digest(other.task.load()) != plan.digest(plan.task.load())


def test_episode_seed_is_fixed_and_differs() -> None:
    seeds = {episode_seed(seed, episode) for seed in range(30) for episode in range(300)}

    assert len(seeds) == 30 * 300
    assert all(0 <= seed < 2**53 for seed in seeds)
    # Results on disk go by them.
    assert episode_seed(0, 0) == 4606155945625523
    assert episode_seed(3, 14) == 2560261690933459
