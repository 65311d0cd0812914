from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agents import q_learning
from agents.q_learning import FILE_NAME, QLearner, Row, Settings, main
from netsecgame import AgentRole
from netsecgame.envs import NetSecGameEnv
from netsecgame.envs.policies import (
    NetworkPolicy,
    PolicyHeader,
    TablePolicy,
    load_policy,
    save_policy,
    state_key,
)
from netsecgame.game.loading import parse_game

if TYPE_CHECKING:
    from pathlib import Path

TINY, SMALL, DEFENDED = "two_networks_tiny", "two_networks_small", "two_networks_defended"


def train(folder: Path, *options: str) -> int:
    return main(["--out", str(folder), "--quiet", "--episodes", "0", *options])


# --- the table ------------------------------------------------------------------------------------


def test_row_begins_at_0_and_with_what_was_saved() -> None:
    saved = np.array([5, 2], np.int32), np.array([1.0, -3.0], np.float32)

    row = Row(np.array([0, 0, 1, 1, 0, 1], np.int8), saved)

    assert row.numbers.tolist() == [2, 3, 5]
    assert row.values.tolist() == [-3, 0, 1]
    assert row.is_tried.tolist() == [True, False, True]


def test_row_nothing_legal_has_action_0() -> None:
    assert Row(np.zeros(3, np.int8), None).numbers.tolist() == [0]


def test_learner_episode_that_was_won_is_learned_up_to_its_first_step() -> None:
    env = NetSecGameEnv(TINY)
    learner = QLearner(env, Settings(seed=3, learning_rate=1.0), timesteps=10_000)
    begun = state_key(env.reset(seed=1)[0])
    steps = 0
    while True:
        outcome = learner.play_episode()
        steps += outcome.steps
        _, values = learner.table()[begun]
        if outcome.is_success:
            break
        assert values.max() < 0  # nothing but steps so far

    assert values.max() > 0
    assert learner.steps == steps


def test_learner_end_of_an_episode_is_worth_its_reward_alone() -> None:
    """Every action wins: nothing comes after it, although the state is one that goes on."""
    attacker = {
        "start_position": {"controlled_hosts": ["192.168.2.2"]},
        "goal": {"controlled_hosts": ["192.168.2.2"]},
    }
    task = {"coordinator": {"agents": {"Attacker": attacker}}, "env": {"scenario": TINY}}
    learner = QLearner(NetSecGameEnv(parse_game(task)), Settings(learning_rate=1.0), 100)

    for _ in range(20):
        assert learner.play_episode() == (1, 99, True)

    ((_, values),) = learner.table().values()
    assert set(values.tolist()) == {99}


def test_learner_that_does_not_explore_plays_what_it_has_learned() -> None:
    settings = Settings(first_epsilon=0, last_epsilon=0)
    learner = QLearner(NetSecGameEnv(TINY), settings, timesteps=10_000)
    while learner.steps < 10_000:
        outcome = learner.play_episode()

    later = [learner.play_episode() for _ in range(10)]

    assert later == [outcome] * 10
    assert outcome.is_success


def test_learner_explores_less_and_less() -> None:
    learner = QLearner(NetSecGameEnv(TINY), Settings(first_epsilon=0.5, last_epsilon=0.1), 100)
    seen = []
    for steps in (0, 25, 50, 100):
        learner.steps = steps
        seen.append(learner.epsilon)

    assert seen == pytest.approx([0.5, 0.3, 0.1, 0.1])


# --- the program ----------------------------------------------------------------------------------


def test_main_trains_until_it_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--task", SMALL, "--timesteps", "25000", "--seed", "1", "--episodes", "20"]

    assert main(["--out", str(tmp_path), *options]) == 0

    out = capsys.readouterr().out
    told = re.search(r"(\d+\.\d)% of 20 episodes won", out)
    assert told is not None
    assert float(told[1]) >= 90
    assert "100%" in out  # the bar
    policy = load_policy(tmp_path / FILE_NAME)
    assert isinstance(policy, TablePolicy)
    assert policy.role is AgentRole.Attacker
    assert policy.header.task == SMALL
    assert policy.header.training["timesteps"] >= 25_000
    assert f"{policy.num_states:,} states" in out


def test_main_same_seed_writes_the_same_file_another_does_not(tmp_path: Path) -> None:
    options = ("--task", TINY, "--timesteps", "1000")
    for name, seed in [("one", "1"), ("again", "1"), ("other", "2")]:
        assert train(tmp_path / name, *options, "--seed", seed) == 0

    one, again, other = ((tmp_path / n / FILE_NAME).read_bytes() for n in ("one", "again", "other"))
    assert one == again
    assert one != other


def test_main_resumed_training_ends_as_one_without_a_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--task", SMALL, "--timesteps", "3000", "--resume", "--checkpoint-every", "500")
    assert train(tmp_path / "whole", *options) == 0
    play_episode = QLearner.play_episode

    def be_stopped(learner: QLearner) -> q_learning.Outcome:
        if learner.steps > 1_700:
            raise KeyboardInterrupt
        return play_episode(learner)

    monkeypatch.setattr(QLearner, "play_episode", be_stopped)
    assert train(tmp_path / "broken", *options) == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert 1_700 < load_policy(tmp_path / "broken" / FILE_NAME).header.training["timesteps"] < 1_800
    monkeypatch.undo()
    assert train(tmp_path / "broken", *options) == 0

    whole, broken = ((tmp_path / name / FILE_NAME).read_bytes() for name in ("whole", "broken"))
    assert broken == whole


def test_main_checkpoint_is_there_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed leaves the last checkpoint."""
    written = []

    def note(policy: TablePolicy, path: Path) -> None:
        save_policy(policy, path)
        written.append(load_policy(path).header.training["timesteps"])

    monkeypatch.setattr(q_learning, "save_policy", note)
    train(tmp_path, "--task", SMALL, "--timesteps", "1000", "--checkpoint-every", "400")

    assert [steps // 50 * 50 for steps in written] == [400, 800, 1_000]


def test_main_file_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path, "--task", TINY, "--timesteps", "100")
    before = (tmp_path / FILE_NAME).read_bytes()

    assert train(tmp_path, "--task", TINY, "--timesteps", "200") == 1

    assert "go on with --resume" in capsys.readouterr().err
    assert (tmp_path / FILE_NAME).read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        ("--task", SMALL),
        ("--task", TINY, "--seed", "2"),
        ("--task", TINY, "--discount", "0.5"),
    ],
)
def test_main_resume_of_another_training_fails(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path, "--task", TINY, "--timesteps", "100")

    assert train(tmp_path, "--resume", "--timesteps", "200", *options) == 1

    assert "in another way" in capsys.readouterr().err


def test_main_resume_of_a_policy_that_is_no_table_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = NetSecGameEnv(TINY)
    header = PolicyHeader.of(env.game, env.role, "q_learning", TINY)
    layer = np.zeros((header.num_actions, header.num_features + 1)), np.zeros(header.num_actions)
    save_policy(NetworkPolicy(header, [layer]), tmp_path / FILE_NAME)

    assert train(tmp_path, "--task", TINY, "--resume") == 1

    assert "in another way" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "role", "has_others"),
    [
        (("--task", DEFENDED), AgentRole.Attacker, False),
        (("--task", DEFENDED, "--opponent", "random"), AgentRole.Attacker, True),
        (("--task", DEFENDED, "--role", "defender"), AgentRole.Defender, True),
    ],
)
def test_main_policy_plays_what_it_was_trained_for(
    options: tuple[str, ...], role: AgentRole, has_others: bool, tmp_path: Path
) -> None:
    assert train(tmp_path, "--timesteps", "150", *options) == 0

    policy = load_policy(tmp_path / FILE_NAME)
    assert policy.role is role
    assert policy.header.has_others is has_others
    opponent = {"defender": "random"} if "--opponent" in options else {}
    env = NetSecGameEnv(DEFENDED, role, **opponent)
    policy.check(env.game)
    observation, info = env.reset(seed=1)
    number = policy.choose(observation, info["action_mask"].astype(bool))
    assert info["action_mask"][number]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "two_network_small"), "did you mean 'two_networks_small'"),
        (("--role", "Atacker"), "did you mean 'Attacker'"),
        (("--task", DEFENDED, "--opponent", "scriptd"), "did you mean 'scripted'"),
        (("--task", SMALL, "--opponent", "random"), "Defender"),
    ],
)
def test_main_wrong_names_fail(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, *options) == 1

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [("--timesteps", "0"), ("--episodes", "-1"), ("--discount", "1.5"), ("--unknown",)]
)
def test_main_wrong_options_exit_with_2(options: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        train(tmp_path, *options)

    assert stopped.value.code == 2


def test_main_tensorboard_writes_a_curve_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--task", TINY, "--timesteps", "2000", "--tensorboard") == 0

    events = list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    out = capsys.readouterr().out
    if find_spec("tensorboard") is None:
        assert "TensorBoard is not installed, so there will be no curve" in out
        assert events == []
    else:
        assert "not installed" not in out
        assert len(events) == 1
        assert b"wins" in events[0].read_bytes()
