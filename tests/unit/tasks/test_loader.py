from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from netsecgame.core.task import (
    DEFAULT_DETECTION,
    DetectionRule,
    Position,
    Rewards,
    RoleTask,
    Word,
)
from netsecgame.errors import TaskError
from netsecgame.game_components import IP, ActionType, AgentRole, Data, Network, Service
from netsecgame.tasks import check_task, load_task, load_task_document, parse_task

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG = yaml.safe_load(Path(__file__).with_name("wrong_tasks.yaml").read_text())

GOLDEN_DIR = Path(__file__).parents[4] / "shared" / "golden"

MINIMAL = {"coordinator": {"agents": {"Attacker": None}}, "env": {"scenario": "one_network"}}


def minimal(
    attacker: dict[str, Any] | None = None, env: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The values of the shortest task, with more in its attacker or its env."""
    return {
        "coordinator": {"agents": {"Attacker": attacker}},
        "env": {"scenario": "one_network", **(env or {})},
    }


def test_load_task_attacker_is_read_whole(write_task: Callable[..., Path]) -> None:
    attacker = load_task(write_task()).roles[AgentRole.Attacker]

    server = IP("192.168.1.2")
    assert attacker == RoleTask(
        start=Position(
            known_networks=(Word.RANDOM,),
            known_hosts=(IP("192.168.1.4"),),
            controlled_hosts=(IP("213.47.23.195"), Word.RANDOM),
            known_services={server: (Word.ALL,)},
            known_data={server: (Word.RANDOM,)},
            known_blocks={server: (IP("192.168.2.2"),)},
        ),
        goal=Position(
            known_networks=(Network("192.168.1.0", 24),),
            known_hosts=(server,),
            controlled_hosts=(IP("192.168.1.3"),),
            known_services={IP("192.168.1.3"): (Service("ssh", "passive", "8.1.0", False),)},
            known_data={IP("213.47.23.195"): (Data("User1", "DataFromServer1"),)},
            known_blocks={server: (Word.ALL_ATTACKERS,)},
        ),
        goal_description="Take it.",
        max_steps=50,
    )


def test_load_task_env_is_read_whole(write_task: Callable[..., Path]) -> None:
    task = load_task(write_task())

    assert task.scenario == "two_networks_small"
    assert task.seed == 7
    assert task.required_players == {AgentRole.Attacker: 1, AgentRole.Defender: 1}
    assert task.rewards == Rewards(success=100, step=-1, fail=-10, false_positive=-5)
    assert task.success_probability[ActionType.ScanNetwork] == 0.5
    assert task.success_probability[ActionType.BlockIP] == 1.0
    assert task.detection_window == 6
    assert task.detection == {
        **DEFAULT_DETECTION,
        ActionType.ScanNetwork: DetectionRule(0.05, min_share=0.25, min_run=None),
    }


def test_parse_task_minimal_values_give_the_defaults() -> None:
    task = parse_task(MINIMAL)

    anywhere = Position(controlled_hosts=(Word.RANDOM,) * 3)
    assert task.roles == {AgentRole.Attacker: RoleTask(), AgentRole.Benign: RoleTask(anywhere)}
    assert (task.seed, task.required_players, task.rewards) == (42, 1, Rewards())
    assert (task.use_firewall, task.use_dynamic_addresses, task.save_trajectories) == (
        True,
        False,
        False,
    )
    assert set(task.success_probability.values()) == {1.0}
    assert (task.detection, task.detection_window) == (None, 5)


def test_parse_task_switches_are_read() -> None:
    env = {"use_firewall": False, "use_dynamic_addresses": True, "save_trajectories": True}

    task = parse_task(minimal(env=env))

    assert (task.use_firewall, task.use_dynamic_addresses, task.save_trajectories) == (
        False,
        True,
        True,
    )


def test_parse_task_random_seed_is_none() -> None:
    assert parse_task(minimal(env={"random_seed": "random"})).seed is None


@pytest.mark.parametrize("start", [None, {}, {"controlled_hosts": ["192.168.1.7"]}])
def test_parse_task_benign_start_is_random_only_without_a_start_position(
    start: dict[str, list[str]] | None,
) -> None:
    values = minimal()
    values["coordinator"]["agents"]["Benign"] = {"start_position": start, "max_steps": 9}

    benign = parse_task(values).roles[AgentRole.Benign]

    expected = (
        (Word.RANDOM,) * 3 if start is None else tuple(map(IP, start.get("controlled_hosts", ())))
    )
    assert benign.start.controlled_hosts == expected
    assert benign.max_steps == 9


@pytest.mark.parametrize("nothing", [None, [], {}])
@pytest.mark.parametrize(
    "part",
    [
        "known_networks",
        "known_hosts",
        "controlled_hosts",
        "known_services",
        "known_data",
        "known_blocks",
    ],
)
def test_parse_task_part_given_as_any_nothing_is_empty(part: str, nothing: object) -> None:
    task = parse_task(minimal({"goal": {part: nothing}, "start_position": {part: nothing}}))

    attacker = task.roles[AgentRole.Attacker]
    assert attacker.goal.is_empty
    assert attacker.start.is_empty


@pytest.mark.parametrize(
    ("part", "given", "expected"),
    [
        ("known_data", ["random"], (Word.RANDOM,)),
        ("known_data", "random", (Word.RANDOM,)),
        ("known_data", [{"owner": "a", "id": "b"}], (Data("a", "b"),)),
        ("known_data", [["a", "b"], "random"], (Data("a", "b"), Word.RANDOM)),
        ("known_services", "all", (Word.ALL,)),
        ("known_services", ["random"], (Word.RANDOM,)),
        ("known_services", [{"name": "n", "version": "1"}], (Service("n", "passive", "1", False),)),
        ("known_services", [["n", "t", "1", True]], (Service("n", "t", "1", True),)),
        ("known_blocks", "all_routers", (Word.ALL_ROUTERS,)),
        ("known_blocks", ["192.168.1.1", "all_attackers"], (IP("192.168.1.1"), Word.ALL_ATTACKERS)),
        ("known_blocks", None, ()),
    ],
)
def test_parse_task_part_by_host_takes_every_form(
    part: str, given: object, expected: object
) -> None:
    task = parse_task(minimal({"goal": {part: {"192.168.1.2": given}}}))

    goal = task.roles[AgentRole.Attacker].goal
    assert getattr(goal, part) == {IP("192.168.1.2"): expected}


def test_parse_task_blocks_on_all_routers_keep_the_word_as_key() -> None:
    task = parse_task(minimal({"goal": {"known_blocks": {"all_routers": "all_attackers"}}}))

    goal = task.roles[AgentRole.Attacker].goal
    assert goal.known_blocks == {Word.ALL_ROUTERS: (Word.ALL_ATTACKERS,)}


def test_parse_task_names_of_public_files_are_read_without_complaint() -> None:
    ignored = {
        "is_any_part_of_goal_random": False,
        "blocked_ips": {},
        "store_replay_buffer": True,
        "goal_reward": 100,
        "detection_reward": -50,
        "step_reward": "any thing",
    }
    values = minimal({"goal": {**ignored}, "start_position": {**ignored}, **ignored}, ignored)
    values["coordinator"].update(ignored)

    assert parse_task(values) == parse_task(minimal({"start_position": {}}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, DEFAULT_DETECTION[ActionType.FindData]),
        ({"probability": 1}, DetectionRule(1, min_share=0.5, min_repeats=2)),
        ({"min_share": None}, DetectionRule(0.025, min_repeats=2)),
        ({"min_run": 4}, DetectionRule(0.025, min_share=0.5, min_run=4, min_repeats=2)),
        (None, DEFAULT_DETECTION[ActionType.FindData]),
    ],
)
def test_parse_task_detection_rule_keeps_what_is_not_said(said: object, expected: object) -> None:
    env = {"use_global_defender": True, "global_defender": {"find_data": said}}

    task = parse_task(minimal(env=env))

    assert task.detection == {**DEFAULT_DETECTION, ActionType.FindData: expected}


def test_parse_task_detection_table_without_global_defender_is_not_used() -> None:
    env = {"global_defender": {"find_data": {"probability": 1}}}

    assert parse_task(minimal(env=env)).detection is None


def test_parse_task_rewards_keep_their_kind_of_number() -> None:
    rewards = parse_task(minimal(env={"rewards": {"success": 1.5, "fail": -3}})).rewards

    assert rewards == Rewards(success=1.5, step=-1, fail=-3, false_positive=-5)
    assert isinstance(rewards.fail, int)


@pytest.mark.skipif(not GOLDEN_DIR.exists(), reason=f"{GOLDEN_DIR} is not there")
def test_parse_task_recorded_games_are_read() -> None:
    for path in sorted(GOLDEN_DIR.glob("*.json")):
        values = json.loads(path.read_text())["task"]

        task = parse_task(values)

        assert task.scenario == values["env"]["scenario"]
        assert task.use_firewall == values["env"]["use_firewall"]
        assert {str(role) for role in task.roles} == {*values["coordinator"]["agents"], "Benign"}


def test_parse_task_wrong_values_raise_with_source_and_path() -> None:
    with pytest.raises(TaskError) as caught:
        parse_task(minimal({"max_steps": 0}), "http://service/task")

    assert str(caught.value) == (
        "http://service/task: coordinator.agents.Attacker.max_steps: "
        "expected a whole number from 1 up, got 0"
    )
    assert caught.value.line is None


def test_load_task_json_is_read_like_yaml(
    tmp_path: Path, task_text: str, write_task: Callable[..., Path]
) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(yaml.safe_load(task_text), indent=1))

    assert load_task(path) == load_task(write_task())


def test_load_task_document_knows_lines_and_folder(write_task: Callable[..., Path]) -> None:
    path = write_task()

    document = load_task_document(path)
    error = document.error(("env", "scenario"), "is odd")

    assert document.task == load_task(path)
    assert document.base_dir == path.parent
    assert str(error) == f"{path}:23: env.scenario: is odd"


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["error"])
def test_check_task_wrong_file_is_explained(
    write_task: Callable[..., Path], case: dict[str, str]
) -> None:
    path = write_task(case["replace"], case["with"])

    errors = check_task(path)

    assert f"{path}:{case['error']}" in [str(error) for error in errors]
    with pytest.raises(TaskError) as caught:
        load_task(path)
    assert str(caught.value) == str(errors[0])


def test_check_task_several_mistakes_come_in_order_of_lines(tmp_path: Path, task_text: str) -> None:
    path = tmp_path / "task.yaml"
    text = task_text.replace("max_steps: 50", "max_steps: 0").replace("all_local", "al_local")
    path.write_text(text.replace("env:\n", "env:\n  zzz: 1\n  zzz: 2\n"))

    assert [error.line for error in check_task(path)] == [4, 21, 23, 24]


def test_check_task_good_file_has_no_errors(write_task: Callable[..., Path]) -> None:
    assert check_task(write_task()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected a mapping, got nothing"),
        ("just text", ":1: expected a mapping, got 'just text'"),
        ("a: [1\nb: 2", ":2: is not YAML: "),
    ],
)
def test_check_task_file_that_is_no_task_is_one_error(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(text)

    (error,) = check_task(path)

    assert str(error).startswith(f"{path}{message}")


def test_check_task_missing_file_is_one_error(tmp_path: Path) -> None:
    (error,) = check_task(tmp_path / "none.yaml")

    assert str(error) == f"{tmp_path / 'none.yaml'}: there is no such file"
