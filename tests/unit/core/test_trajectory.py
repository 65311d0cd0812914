from __future__ import annotations

import json
from typing import TYPE_CHECKING

from netsecgame.core import trajectory as module
from netsecgame.core.trajectory import Trajectory
from netsecgame.game_components import AgentStatus, GameState
from tests.unit.core.office import ATTACKER, PC, SERVERS, WEB, find_data, scan, view

if TYPE_CHECKING:
    import pytest


def test_trajectory_has_one_state_more_than_actions() -> None:
    trajectory = Trajectory(view(PC))
    trajectory.append(scan(PC, SERVERS), -1, view(PC, known_hosts={PC, WEB}))
    trajectory.append(find_data(PC, WEB), -1, view(PC))

    assert len(trajectory) == len(trajectory.actions) == len(trajectory.rewards) == 2
    assert len(trajectory.states) == 3


def test_add_to_last_reward_changes_the_last_reward_only() -> None:
    trajectory = Trajectory(view(PC))
    trajectory.add_to_last_reward(100)
    trajectory.append(scan(PC, SERVERS), -1, view(PC))
    trajectory.append(scan(PC, SERVERS), -1, view(PC))
    trajectory.add_to_last_reward(100)

    assert trajectory.rewards == [-1, 99]


def test_append_beyond_the_limit_is_left_out_with_its_final_reward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 1)
    trajectory = Trajectory(GameState())
    for _ in range(3):
        trajectory.append(scan(PC, SERVERS), -1, view(PC))
    trajectory.add_to_last_reward(100)

    assert trajectory.is_cut
    assert (len(trajectory.states), trajectory.rewards) == (2, [-1])


def test_as_dict_is_the_stored_form() -> None:
    trajectory = Trajectory(view(PC))
    trajectory.append(scan(PC, SERVERS), 99, view(PC, WEB))

    stored = trajectory.as_dict("Ada", ATTACKER, AgentStatus.Success)

    assert json.loads(json.dumps(stored)) == {
        "trajectory": {
            "states": [view(PC).as_dict, view(PC, WEB).as_dict],
            "actions": [scan(PC, SERVERS).as_dict],
            "rewards": [99],
        },
        "end_reason": "AgentStatus.Success",
        "agent_role": "Attacker",
        "agent_name": "Ada",
    }
    assert trajectory.as_dict("Ada", ATTACKER, None)["end_reason"] is None
