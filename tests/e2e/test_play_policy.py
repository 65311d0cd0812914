"""Policies that were learned in process, on real servers."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents import q_learning
from agents.play_policy import main
from agents.random_attacker import RandomAttacker
from netsecgame import AgentRole
from netsecgame.agents.episodic_agent import EpisodeReport
from netsecgame.envs import NetSecGameEnv, open_game
from netsecgame.envs.policies import (
    NetworkPolicy,
    PolicyHeader,
    TablePolicy,
    load_policy,
    save_policy,
)
from netsecgame.game.task_files import find_task_file
from tests.e2e.conftest import HOST, Serve

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
TINY, SMALL = "two_networks_tiny", "two_networks_small"
DYNAMIC, TEAM = "two_networks_small_dynamic", "two_networks_team"
SUCCESS = "AgentStatus.Success"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that wins `two_networks_small`."""
    folder = tmp_path_factory.mktemp("trained")
    options = ["--task", SMALL, "--timesteps", "25000", "--episodes", "0", "--quiet"]
    assert q_learning.main(["--out", str(folder), *options]) == 0
    return folder / q_learning.FILE_NAME


def play(
    capsys: pytest.CaptureFixture[str], policy: Path, port: int, *options: str
) -> list[EpisodeReport]:
    capsys.readouterr()
    assert main([str(policy), "--port", str(port), "--report", *options]) == 0
    return [EpisodeReport.from_json(line) for line in capsys.readouterr().out.splitlines()]


def save_defender(path: Path, task: str) -> Path:
    """A network that defends somehow."""
    header = PolicyHeader.of(open_game(task), AgentRole.Defender, "somehow", task, has_others=True)
    weights = np.random.default_rng(1).normal(size=(header.num_actions, header.num_features + 1))
    policy = NetworkPolicy(header, [(weights, np.zeros(len(weights)))], selection="sample")
    save_policy(policy, path)
    return path


def test_play_policy_trained_in_process_wins_on_a_server(
    trained: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = play(capsys, trained, serve(find_task_file(SMALL)), "--episodes", "20")

    assert [report.episode for report in reports] == list(range(1, 21))
    assert [report.end_reason for report in reports].count(SUCCESS) >= 18
    # It plays as in process.
    env = NetSecGameEnv(SMALL)
    policy = load_policy(trained)
    assert isinstance(policy, TablePolicy)
    (outcome,) = q_learning.evaluate(policy, env, seed=1, episodes=1)
    assert reports[0].steps == outcome.steps
    assert reports[0].total_reward == outcome.total_reward


def test_play_policy_new_addresses_wins_too(
    trained: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """The task has the network that the policy was trained on, under other addresses each time."""
    port = serve(find_task_file(DYNAMIC))

    reports = play(capsys, trained, port, "--episodes", "4", "--topology_seed", "3")

    assert [report.end_reason for report in reports] == [SUCCESS] * 4


def test_play_policy_of_a_defender_plays_until_the_server_is_gone(
    tmp_path: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = save_defender(tmp_path / "defender.npz", TEAM)
    port = serve(find_task_file(TEAM))

    def attack(seed: int) -> Sequence[EpisodeReport]:
        with RandomAttacker(HOST, port, seed) as agent:
            return list(agent.play(2))

    with ThreadPoolExecutor(3) as pool:
        attackers = [pool.submit(attack, seed) for seed in (1, 2)]
        defender = pool.submit(main, [str(policy), "--port", str(port), "--episodes", "2"])
        assert [len(attacker.result()) for attacker in attackers] == [2, 2]
        assert defender.result() == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["episode 1", "episode 2"]


def test_play_policy_seed_of_the_policy_decides(
    tmp_path: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table that knows nothing plays by chance."""
    path = tmp_path / "any.npz"
    task = "scenario1_small"  # won by chance as often as not
    header = PolicyHeader.of(open_game(task), AgentRole.Attacker, "any", task)
    save_policy(TablePolicy(header, {}), path)
    port = serve(find_task_file(task))

    def returns(seed: int) -> list[tuple[float, int]]:
        options = ("--episodes", "8", "--seed", str(seed))
        return [(r.total_reward, r.steps) for r in play(capsys, path, port, *options)]

    first = returns(20)

    assert returns(20) == first
    assert returns(21) != first


def test_play_policy_for_another_task_fails(
    trained: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    port = serve(find_task_file(TINY))

    assert main([str(trained), "--port", str(port)]) == 1
    assert "'q_learning' was made for 'two_networks_small'" in capsys.readouterr().err
    assert main([str(trained), "--port", str(port), "--task", SMALL]) == 1
    assert "the server plays another task" in capsys.readouterr().err


def test_play_policy_task_that_is_not_shipped_has_to_be_given(
    trained: Path, serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    text = find_task_file(SMALL).read_text(encoding="utf-8")
    path.write_text(text.replace("max_steps: 50", "max_steps: 49"), encoding="utf-8")
    port = serve(path)

    assert main([str(trained), "--port", str(port)]) == 1
    assert "none of the shipped tasks; say which it is" in capsys.readouterr().err
    (report,) = play(capsys, trained, port, "--task", str(path))
    assert report.end_reason == SUCCESS


def test_play_policy_wrong_files_fail(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "absent.npz"

    assert main([str(absent)]) == 1
    assert capsys.readouterr().err == f"play_policy: {absent}: No such file or directory\n"
    assert main([str(trained), "--task", "two_network_small"]) == 1
    assert "did you mean" in capsys.readouterr().err


def test_play_policy_no_server_fails(
    trained: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(trained), "--port", "1"]) == 1

    assert "no connection to 127.0.0.1:1" in caplog.text


def test_play_policy_as_a_program_prints_its_episodes(trained: Path, serve: Serve) -> None:
    port = serve(find_task_file(SMALL))
    program = [sys.executable, "-W", "error", str(ROOT / "agents" / "play_policy.py")]

    ran = subprocess.run(
        [*program, str(trained), "--port", str(port), "--episodes", "2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert [line.partition(" after ")[0] for line in lines] == [
        "episode 1: Success",
        "episode 2: Success",
    ]
