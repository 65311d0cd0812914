from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentRole,
    AgentStatus,
    GameState,
)
from netsecgame.utils.trajectory_recorder import TrajectoryRecorder
from netsecgame.utils.utils import read_trajectories_from_jsonl

HOST = IP("192.168.1.2")
START, NEXT = GameState(known_hosts={HOST}), GameState({HOST}, {HOST})
ACTION = Action(ActionType.FindData, {"target_host": HOST, "source_host": HOST})


@pytest.fixture
def recorder() -> TrajectoryRecorder:
    recorder = TrajectoryRecorder("Agent 1", AgentRole.Attacker)
    recorder.add_initial_state(START)
    recorder.add_step(ACTION, -1, START)
    recorder.add_step(ACTION, 99.5, NEXT, AgentStatus.Success)
    return recorder


def test_recorder_trajectory_has_one_state_more_than_actions(recorder: TrajectoryRecorder) -> None:
    assert recorder.get_trajectory() == {
        "trajectory": {
            "states": [START.as_dict, START.as_dict, NEXT.as_dict],
            "actions": [ACTION.as_dict, ACTION.as_dict],
            "rewards": [-1, 99.5],
        },
        "end_reason": "AgentStatus.Success",
        "agent_role": "Attacker",
        "agent_name": "Agent 1",
    }


def test_recorder_trajectory_is_the_callers_own(recorder: TrajectoryRecorder) -> None:
    recorder.get_trajectory()["trajectory"]["rewards"].clear()
    assert recorder.get_trajectory()["trajectory"]["rewards"] == [-1, 99.5]


def test_recorder_reset_forgets_the_episode(recorder: TrajectoryRecorder) -> None:
    recorder.reset()
    assert recorder.get_trajectory() == {
        "trajectory": {"states": [], "actions": [], "rewards": []},
        "end_reason": None,
        "agent_role": "Attacker",
        "agent_name": "Agent 1",
    }


def test_recorder_initial_state_begins_a_new_episode(recorder: TrajectoryRecorder) -> None:
    recorder.add_initial_state(NEXT)
    trajectory = recorder.get_trajectory()
    assert trajectory["trajectory"] == {"states": [NEXT.as_dict], "actions": [], "rewards": []}
    assert trajectory["end_reason"] is None


def test_recorder_saves_episodes_line_by_line(recorder: TrajectoryRecorder, tmp_path: Path) -> None:
    first = recorder.get_trajectory()
    file = recorder.save_to_file(tmp_path / "logs", "mine")
    recorder.add_initial_state(NEXT)
    assert recorder.save_to_file(str(tmp_path / "logs"), "mine") == file
    assert file == tmp_path / "logs" / "mine.jsonl"
    assert read_trajectories_from_jsonl(file) == [first, recorder.get_trajectory()]


def test_recorder_default_file_is_named_by_day_agent_and_role(
    recorder: TrajectoryRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    days = {datetime.datetime.now().astimezone().date()}
    file = recorder.save_to_file()
    days.add(datetime.datetime.now().astimezone().date())  # midnight may lie between
    assert file.parent == Path("logs/trajectories")
    assert file.name in {f"{day}_Agent1_Attacker.jsonl" for day in days}
    assert len(read_trajectories_from_jsonl(file)) == 1
