from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agents.benign import Benign
from agents.random_attacker import RandomAttacker
from agents.random_defender import RandomDefender
from agents.scripted_attacker import ScriptedAttacker
from netsecgame import IP, Action, ActionType, AgentRole, BaseAgent, GameState, Observation
from netsecgame.tasks import load_task
from tests.e2e.conftest import HOST, Serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.agents.episodic_agent import EpisodeReport, EpisodicAgent

ROOT = Path(__file__).resolve().parents[2]
TASKS = sorted((ROOT / "task_configs").glob("*.yaml"))

SUCCESS, FAIL = "AgentStatus.Success", "AgentStatus.Fail"

CLIENT, OUTSIDE = "192.168.2.2", "213.47.23.195"


def _task(
    scenario: str, goal: dict[str, Any], start: str = CLIENT, max_steps: int = 100, **env: Any
) -> dict[str, Any]:
    """A task for one attacker, who starts on a host inside, and outside."""
    attacker = {
        "max_steps": max_steps,
        "goal": goal,
        "start_position": {"controlled_hosts": [OUTSIDE, start]},
    }
    defender = {"start_position": {"controlled_hosts": ["all_local"]}}
    return {
        "coordinator": {"agents": {"Attacker": attacker, "Defender": defender}},
        "env": {"scenario": scenario, **env},
    }


def _play(
    port: int, crew: Sequence[type[EpisodicAgent]], episodes: int, seed: int, **options: Any
) -> list[list[EpisodeReport]]:
    """Let agents play together, each in a thread; returns the reports of each."""

    def play(index: int) -> list[EpisodeReport]:
        with crew[index](HOST, port, seed + index) as agent:
            return list(agent.play(episodes, **options))

    with ThreadPoolExecutor(len(crew)) as pool:
        return list(pool.map(play, range(len(crew))))


# --- the scripted attacker ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_scripted_attacker_shipped_task_wins(path: Path, seed: int, serve: Serve) -> None:
    task = load_task(path)
    crew: list[type[EpisodicAgent]] = [ScriptedAttacker]
    if not isinstance(task.required_players, int):
        crew = [ScriptedAttacker] * task.required_players[AgentRole.Attacker]
        crew += [RandomDefender] * task.required_players[AgentRole.Defender]
    port = serve(path, seed=seed, required_players=len(crew))
    topology_seed = seed if task.use_dynamic_addresses else None

    reports = _play(port, crew, 3, seed, topology_seed=topology_seed)

    wins = [report.end_reason == SUCCESS for agent in reports[:1] for report in agent]
    if task.detection is None:
        assert wins == [True] * 3
    else:  # it knows that it is watched when it was detected once
        assert wins.count(False) <= 1


@pytest.mark.parametrize(
    ("scenario", "goal"),
    [
        ("three_net_scenario", {"known_networks": ["192.168.3.0/24"]}),
        ("three_net_scenario", {"known_hosts": ["192.168.3.2", "192.168.3.1", "192.168.1.4"]}),
        ("three_net_scenario", {"controlled_hosts": ["192.168.3.2", "192.168.1.4"]}),
        ("two_networks", {"known_services": {"192.168.1.5": ["all"], "192.168.1.2": ["random"]}}),
        (
            "three_net_scenario",
            {
                "known_data": {
                    "192.168.2.5": [["User2", "WebServerData"]],
                    "192.168.1.5": [["admin", "passwords"]],
                }
            },
        ),
        ("two_networks", {"known_blocks": {"192.168.1.3": ["192.168.1.2", "192.168.2.1"]}}),
        ("two_networks", {"known_blocks": {"192.168.1.3": "all_attackers"}}),
        ("two_networks", {"known_blocks": {"192.168.1.2": ["all_routers"]}}),
        (
            "three_net_scenario",
            {
                "known_networks": ["192.168.3.0/24"],
                "known_hosts": ["192.168.3.1"],
                "controlled_hosts": ["192.168.2.4"],
                "known_services": {"192.168.3.3": [["bash", "passive", "5.0.0", True]]},
                "known_data": {OUTSIDE: [["admin", "passwords"], "random"]},
                "known_blocks": {"192.168.3.2": ["192.168.1.2"]},
            },
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else value,
)
def test_scripted_attacker_goal_of_any_part_wins(
    scenario: str, goal: dict[str, Any], serve: Serve
) -> None:
    # From there, the data of the protected network are three exploits away.
    start = "192.168.1.5" if scenario == "three_net_scenario" else CLIENT
    task = _task(scenario, goal, start, use_dynamic_addresses=True)

    [reports] = _play(serve(task), [ScriptedAttacker], 3, seed=1, topology_seed=5)

    assert [report.end_reason for report in reports] == [SUCCESS] * 3


def test_scripted_attacker_without_direct_way_moves_data_over_other_hosts(serve: Serve) -> None:
    goal = {"known_data": {CLIENT: [["User2", "WebServerData"]]}}

    [[report]] = _play(serve(_task("three_net_scenario", goal)), [ScriptedAttacker], 1, seed=1)

    assert report.end_reason == SUCCESS


def test_scripted_attacker_unlucky_actions_are_tried_again(serve: Serve) -> None:
    unlucky = {"prob_success": 0.3}
    names = ("exploit_service", "find_data", "exfiltrate_data")
    goal = {"known_data": {OUTSIDE: [["User1", "DatabaseData"]]}}
    task = _task("two_networks", goal, actions=dict.fromkeys(names, unlucky))

    [reports] = _play(serve(task), [ScriptedAttacker], 10, seed=1)

    assert [report.end_reason for report in reports].count(SUCCESS) >= 9


def test_scripted_attacker_blocked_way_finds_another(serve: Serve) -> None:
    """The way out of the server that has the data is blocked before the attacker has it."""
    goal = {"known_data": {OUTSIDE: [["User1", "DataFromServer1"]]}}
    port = serve(_task("two_networks_small", goal))

    class Late(ScriptedAttacker):
        def begin_episode(self, start: Observation) -> None:
            with BaseAgent(HOST, port, AgentRole.Defender) as defender:
                assert defender.register()
                server, outside = IP("192.168.1.2"), IP(OUTSIDE)
                pair = {"target_host": server, "source_host": server}
                answer = defender.make_step(
                    Action(ActionType.BlockIP, {**pair, "blocked_host": outside})
                )
                assert answer
                assert outside in answer.state.known_blocks[server]
            super().begin_episode(start)

    [[report]] = _play(port, [Late], 1, seed=1)

    assert report.end_reason == SUCCESS
    assert report.steps > 5  # what it takes where nothing is blocked


def test_scripted_attacker_detected_once_is_careful_afterwards(serve: Serve) -> None:
    path = ROOT / "task_configs" / "two_networks_global_defender.yaml"

    [reports] = _play(serve(path), [ScriptedAttacker], 40, seed=1)

    ends = [report.end_reason for report in reports]
    assert ends.count(FAIL) == 1
    assert ends.count(SUCCESS) == 39


def test_scripted_attacker_firm_world_repeats_no_action_in_vain(serve: Serve) -> None:
    in_vain = []

    class Watched(ScriptedAttacker):
        def learn(self, before: GameState, action: Action, after: GameState) -> None:
            super().learn(before, action, after)
            if before == after:
                in_vain.append(action)

    goal = {"known_data": {OUTSIDE: [["admin", "passwords"]]}}
    [[report]] = _play(serve(_task("three_net_scenario", goal)), [Watched], 1, seed=1)

    assert report.end_reason == SUCCESS
    assert len(set(in_vain)) == len(in_vain) < report.steps / 3


# --- the others -----------------------------------------------------------------------------------


def test_random_attacker_long_enough_wins(serve: Serve) -> None:
    goal = {"known_data": {OUTSIDE: [["User1", "DataFromServer1"]]}}
    task = _task("two_networks_tiny", goal, max_steps=5_000)

    [[report]] = _play(serve(task), [RandomAttacker], 1, seed=1)

    assert report.end_reason == SUCCESS


def test_random_defender_against_scripted_attacker_loses_mostly(serve: Serve) -> None:
    """It is in the way at times, but it does not cut the attacker off for good."""
    path = ROOT / "task_configs" / "two_networks_defended.yaml"

    crew = [ScriptedAttacker, RandomDefender, Benign]
    attacker, defender, benign = _play(serve(path, required_players=3), crew, 20, seed=1)

    wins = [report.end_reason == SUCCESS for report in attacker]
    assert wins.count(True) >= 18
    assert [report.end_reason == FAIL for report in defender] == wins
    assert len(benign) == 20


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (RandomAttacker, "Attacker"),
        (RandomDefender, "Defender"),
        (Benign, "Benign"),
        (ScriptedAttacker, "Attacker"),
    ],
)
def test_agents_same_seeds_play_the_same(
    kind: type[EpisodicAgent], role: str, serve: Serve
) -> None:
    """Whoever is no attacker has one beside it that does nothing."""
    task = _task("two_networks", {"controlled_hosts": ["192.168.1.6"]})

    def record(port: int) -> list[Action]:
        played: list[Action] = []
        with kind(HOST, port, 7) as agent, BaseAgent(HOST, port, AgentRole.Attacker) as attacker:
            if role != "Attacker":
                assert attacker.register()
            observation = agent.register()
            assert observation
            agent.begin_episode(observation)
            while len(played) < 60 and not observation.end:
                played.append(agent.choose_action(observation.state))
                observation = agent.make_step(played[-1])
                assert observation
        return played

    first, second = record(serve(task, seed=3)), record(serve(task, seed=3))

    assert first
    assert first == second


# --- on the command line --------------------------------------------------------------------------


@pytest.mark.parametrize("program", [["-m", "agents.random_attacker"], ["agents/benign.py"]])
def test_agent_as_program_reports_episodes(program: list[str], serve: Serve) -> None:
    goal = {"known_hosts": ["192.168.1.2"]}
    port = serve(_task("two_networks_tiny", goal), required_players=2)
    command = [sys.executable, *program, "--port", str(port), "--episodes", "2", "--report"]

    other = Benign if "random_attacker" in program[-1] else ScriptedAttacker
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        _play(port, [other], 2, seed=1)
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    reports = [json.loads(line) for line in output.splitlines()]
    assert [report["episode"] for report in reports] == [1, 2]
    assert all(
        set(report) == {"episode", "return", "steps", "end_reason", "seconds"} for report in reports
    )
