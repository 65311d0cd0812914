from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netsecgame.errors import TaskError
from netsecgame.game.config_parser import ConfigParser
from netsecgame.game_components import IP, AgentRole, Data

TASKS = Path(__file__).resolve().parents[3] / "task_configs"

VALUES: dict[str, Any] = {
    "coordinator": {
        "agents": {
            "Attacker": {
                "max_steps": 25,
                "goal": {
                    "description": "Steal.",
                    "known_data": {"213.47.23.195": [["User1", "DataFromServer1"]]},
                },
                "start_position": {"controlled_hosts": ["213.47.23.195", "random"]},
            }
        }
    },
    "env": {
        "scenario": "two_networks_tiny",
        "random_seed": 7,
        "required_players": {"Attacker": 2, "Benign": 1},
        "use_global_defender": True,
        "use_dynamic_addresses": True,
        "use_firewall": False,
        "save_trajectories": True,
        "rewards": {"success": 10, "step": -2, "fail": -3, "false_positive": -4},
        "actions": {"scan_network": {"prob_success": 0.5}},
    },
}


def test_config_parser_getters_tell_what_the_task_says() -> None:
    parser = ConfigParser(config_dict=VALUES)

    assert parser.get_start_position("attacker") == {
        "known_networks": [],
        "known_hosts": [],
        "controlled_hosts": [IP("213.47.23.195"), "random"],
        "known_services": {},
        "known_data": {},
        "known_blocks": {},
    }
    goal = parser.get_win_conditions(AgentRole.Attacker)
    assert goal["known_data"] == {IP("213.47.23.195"): [Data("User1", "DataFromServer1")]}
    assert parser.get_max_steps(AgentRole.Attacker) == 25
    assert parser.get_goal_description("Attacker") == "Steal."
    assert parser.get_rewards(["success", "step", "bonus"], 99) == {
        "success": 10,
        "step": -2,
        "bonus": 99,
    }
    assert parser.get_scenario() == "two_networks_tiny"
    assert parser.get_seed("env") == 7
    assert parser.get_required_num_players() == 3
    assert parser.get_use_firewall() is False
    assert parser.get_use_dynamic_addresses() is True
    assert parser.get_use_global_defender() is True
    assert parser.get_store_trajectories() is True
    assert parser.read_env_action_data("scan_network") == 0.5
    assert parser.read_env_action_data("block_ip") == 1.0


def test_config_parser_role_that_the_task_lacks_has_empty_parts() -> None:
    parser = ConfigParser(config_dict=VALUES)

    assert not any(parser.get_start_position("Defender").values())
    assert parser.get_max_steps("Defender") is None


def test_config_parser_from_a_file_reads_it() -> None:
    parser = ConfigParser(TASKS / "scenario1.yaml")

    assert parser.get_scenario() == "scenario1"
    assert parser.get_required_num_players() == 1


def test_config_parser_without_a_source_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected a task file or a dict, got neither"):
        ConfigParser()


def test_config_parser_wrong_values_name_the_place() -> None:
    wrong = {**VALUES, "env": {**VALUES["env"], "scenario": "two_network_tiny"}}

    with pytest.raises(ValueError, match="two_networks_tiny"):
        ConfigParser(config_dict=wrong)
    with pytest.raises(TaskError, match=r"env\.use_firewal.*use_firewall"):
        ConfigParser(config_dict={**VALUES, "env": {**VALUES["env"], "use_firewal": True}})


def test_read_env_action_data_unknown_action_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown action 'scan'"):
        ConfigParser(config_dict=VALUES).read_env_action_data("scan")
