from __future__ import annotations

import json
from typing import TYPE_CHECKING

from netsecgame.core import trajectory as module
from netsecgame.core.knowledge import KnownState
from netsecgame.core.trajectory import Trajectory
from netsecgame.core.world import World
from netsecgame.game_components import Action, ActionType, AgentStatus, Data, GameState
from tests.unit.core.office import (
    ATTACKER,
    PC,
    SERVERS,
    WEB,
    find_data,
    office_spec,
    scan,
    view,
)

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


def test_append_of_long_texts_is_cut_before_they_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_TEXT", 2_500)
    trajectory = Trajectory(GameState())
    datum = Data("User1", "DataFromServer1", content="x" * 1_000)
    action = Action(
        ActionType.ExfiltrateData, {"target_host": WEB, "source_host": PC, "data": datum}
    )
    for _ in range(5):
        trajectory.append(action, -1, view(PC))

    assert trajectory.is_cut
    assert len(trajectory) == 2


def test_append_of_logs_that_were_read_counts_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(office_spec())
    world.register("Ada", ATTACKER)
    player = world.player("Ada")
    for _ in range(3):
        world.step("Ada", find_data(PC, PC))
    lengths = [log.content for state in player.trajectory.states for log in logs_in(state)]
    monkeypatch.setattr(module, "MAX_TEXT", sum(map(len, lengths)))
    world.step("Ada", scan(PC, SERVERS))
    assert not player.trajectory.is_cut
    world.step("Ada", find_data(PC, PC))
    assert player.trajectory.is_cut


def logs_in(state: GameState) -> list[Data]:
    return [datum for data in state.known_data.values() for datum in data if datum.type == "log"]


def test_append_lets_go_of_the_json_of_states_that_are_past() -> None:
    world = World(office_spec())
    first = world.register("Ada", ATTACKER).state
    assert isinstance(first, KnownState)
    before = first.json_bytes
    assert "_json" in vars(first)

    world.step("Ada", find_data(PC, PC))

    assert "_json" not in vars(first)
    assert first.json_bytes == before


def test_as_json_is_the_stored_form() -> None:
    trajectory = Trajectory(view(PC))
    trajectory.append(scan(PC, SERVERS), 99, view(PC, WEB))

    stored = trajectory.as_json("Ada", ATTACKER, AgentStatus.Success)

    assert json.loads(stored) == {
        "trajectory": {
            "states": [view(PC).as_dict, view(PC, WEB).as_dict],
            "actions": [scan(PC, SERVERS).as_dict],
            "rewards": [99],
        },
        "end_reason": "AgentStatus.Success",
        "agent_role": "Attacker",
        "agent_name": "Ada",
    }
    assert json.loads(trajectory.as_json("Ada", ATTACKER, None))["end_reason"] is None


def test_as_json_holds_the_first_steps_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    trajectory = Trajectory(view(PC))
    for reward in range(5):
        trajectory.append(scan(PC, SERVERS), reward, view(PC))
    monkeypatch.setattr(module, "MAX_JSON_BYTES", 3 * len(view(PC).as_json()))

    stored = json.loads(trajectory.as_json("Ada", ATTACKER, None))

    assert stored["trajectory"]["rewards"] == [0, 1]
    assert len(stored["trajectory"]["actions"]) == 2
    assert stored["trajectory"]["states"] == [view(PC).as_dict] * 3
    assert stored["is_cut"]


def test_as_json_says_so_when_steps_were_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 1)
    trajectory = Trajectory(view(PC))
    for _ in range(2):
        trajectory.append(scan(PC, SERVERS), -1, view(PC))

    assert json.loads(trajectory.as_json("Ada", ATTACKER, None))["is_cut"]
