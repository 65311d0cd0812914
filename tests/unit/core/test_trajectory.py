from __future__ import annotations

import json
import re
from random import Random
from typing import TYPE_CHECKING

import msgspec

from netsecgame.core import trajectory as module
from netsecgame.core.knowledge import KnownState
from netsecgame.core.trajectory import Trajectory
from netsecgame.core.world import World
from netsecgame.game_components import (
    ACTION_PARAMETERS,
    Action,
    ActionType,
    AgentStatus,
    Data,
    GameState,
    generate_valid_actions,
)
from tests.unit.core.office import (
    ATTACKER,
    DEFENDER,
    PC,
    SERVERS,
    WEB,
    block,
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


def test_append_lets_go_of_the_json_of_states_that_are_past() -> None:
    world = World(office_spec())
    first = world.register("Ada", ATTACKER).state
    assert isinstance(first, KnownState)
    before = first.json_bytes
    pieces = first.json_pieces
    assert first.json_pieces is pieces

    world.step("Ada", find_data(PC, PC))

    assert first.json_pieces is not pieces
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


def test_json_pieces_are_the_bytes_of_the_wire_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ACTIONS_PER_PIECE", 3)
    world = World(office_spec())
    state = world.register("Ada", DEFENDER).state
    replies = [state.as_dict]
    actions = []
    rng = Random(1)
    for _ in range(100):
        valid = sorted(generate_valid_actions(state), key=str)
        action = rng.choice([*valid, block(PC, PC, WEB)])
        state = world.step("Ada", action).state
        actions.append(action)
        replies.append(state.as_dict)
    assert {action.type for action in actions} == set(ACTION_PARAMETERS)
    trajectory = world.player("Ada").trajectory

    pieces = list(trajectory.json_pieces('A"d\\a', DEFENDER, AgentStatus.Fail))

    assert b"".join(pieces) == msgspec.json.encode(
        {
            "trajectory": {
                "states": replies,
                "actions": [action.as_dict for action in actions],
                "rewards": trajectory.rewards,
            },
            "end_reason": "AgentStatus.Fail",
            "agent_role": "Defender",
            "agent_name": 'A"d\\a',
        }
    )
    for piece in pieces:
        outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", piece.decode())
        assert '"' not in outside, "begins or ends inside a string"


def test_json_pieces_of_a_state_that_lasts_are_one_object() -> None:
    before, after = view(PC), view(PC, WEB)
    trajectory = Trajectory(before)
    for state in (before, before, after, after, after):
        trajectory.append(scan(PC, SERVERS), -1, state)

    pieces = list(trajectory.json_pieces("Ada", ATTACKER, None))

    assert len({id(piece) for piece in pieces[1:3]}) == 1
    assert len({id(piece) for piece in pieces[3:6]}) == 1


def test_json_pieces_are_made_when_they_are_asked_for() -> None:
    looked_at = []

    class Noting(GameState):
        def as_json(self) -> str:
            looked_at.append(self)
            return super().as_json()

    trajectory = Trajectory(Noting())
    for _ in range(3):
        trajectory.append(scan(PC, SERVERS), -1, Noting())
    pieces = trajectory.json_pieces("Ada", ATTACKER, None)
    assert looked_at == []
    for count in (1, 2, 3):
        next(pieces)
        assert len(looked_at) == count


def test_kept_bytes_grow_with_the_steps_and_their_text() -> None:
    trajectory = Trajectory(view(PC))
    assert trajectory.kept_bytes == 0
    trajectory.append(scan(PC, SERVERS), -1, view(PC))
    first = trajectory.kept_bytes
    assert first > 0
    datum = Data("User1", "DataFromServer1", content="x" * 10_000)
    parameters = {"target_host": WEB, "source_host": PC, "data": datum}
    trajectory.append(Action(ActionType.ExfiltrateData, parameters), -1, view(PC))
    assert trajectory.kept_bytes > first + 10_000
