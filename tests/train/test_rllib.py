from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import ray
import torch
from ray import cloudpickle
from ray.cluster_utils import Cluster
from ray.rllib.core.columns import Columns
from ray.rllib.utils.pre_checks.env import check_multiagent_environments

from agents.rllib.command_line import _make_parser, main
from agents.rllib.episode_runner import EpisodeRunner
from agents.rllib.game_env import GameEnv
from agents.rllib.masked_module import NEVER
from agents.rllib.training import KEPT_CHECKPOINTS, make_config, make_headers
from netsecgame.envs import open_game, parallel_env
from netsecgame.envs.policies import load_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
LISTENING = re.compile(r"listening on \S+:(\d+)")

#: A small game of two sides: the defender may do all it likes three times, and waits from then on.
TASK = """
coordinator:
  agents:
    Attacker:
      max_steps: 8
      goal:
        description: "Get into the server."
        controlled_hosts: [192.168.1.2]
      start_position:
        controlled_hosts: [213.47.23.195, 192.168.2.2]
    Defender:
      max_steps: 3
      goal:
        description: "Keep every attacker from its goal."
      start_position:
        controlled_hosts: [all_local]
    Benign:
      goal:
        description: "Be there."
      start_position:
        controlled_hosts: [192.168.2.2]
env:
  scenario: two_networks_tiny
  rewards: {success: 100, step: -1, fail: -10, false_positive: 0}
"""

pytestmark = [
    pytest.mark.timeout(300),
    # RLlib has one name for all environments, and gives it to each that it makes.
    pytest.mark.filterwarnings("ignore:.*Overriding environment rllib-multi-agent-env-v0"),
]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks") / "small.yaml"
    path.write_text(TASK)
    return path


def arguments(task: Path | str, *more: str) -> list[str]:
    few = ["--batch-rounds", "64", "--num-envs", "8", "--num-env-runners", "0", "--quiet"]
    return ["--task", str(task), *few, *more]


def env_config(task: Path | str, **counts: int) -> dict[str, Any]:
    game = cloudpickle.dumps(open_game(task).spec)
    return {"game": game, "attackers": 1, "defenders": 1, "benign": 0, **counts}


def make_runner(task: Path | str, *more: str) -> EpisodeRunner:
    options = _make_parser().parse_args(arguments(task, *more))
    config = make_config(options, make_headers(options))
    return EpisodeRunner(config=config, worker_index=0)


def lines_of(out: Path) -> list[dict[str, Any]]:
    return list(map(json.loads, (out / "episodes.jsonl").read_text().splitlines()))


def without_players(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: line[name] for name in line if name != "env_runner"} for line in lines]


@pytest.mark.parametrize(
    "counts",
    [{}, {"attackers": 2, "defenders": 2, "benign": 1}, {"attackers": 3, "defenders": 0}],
)
def test_game_env_passes_the_checker_of_rllib(counts: dict[str, int]) -> None:
    env = GameEnv(env_config("two_networks_defended", **counts))

    check_multiagent_environments(env)


def test_game_env_defender_that_waits_is_shown_nothing_and_paid_all(task: Path) -> None:
    mine, theirs = GameEnv(env_config(task)), parallel_env(task)
    seen, _ = mine.reset(seed=3)
    theirs.reset(seed=3)
    paid, expected, shown = 0.0, 0.0, []
    is_over = False
    while not is_over:
        actions = dict.fromkeys(theirs.agents, 0)
        seen, rewards, ends, _, _ = mine.step(dict.fromkeys(seen, 0))
        _, their_rewards, *_ = theirs.step(actions)
        paid += rewards.get("defender_0", 0)
        expected += their_rewards.get("defender_0", 0)
        shown.append("defender_0" in seen)
        is_over = ends["__all__"]

    assert shown == [True, True, False, False, False, False, False, True]
    assert paid == expected == 97


def test_episode_runner_never_plays_what_is_not_legal() -> None:
    part = make_runner("two_networks_defended").play(range(2), {})

    assert [episode.id_ for episode in part.episodes] == ["0", "1"]
    for episode in part.episodes:
        for single in episode.agent_episodes.values():
            masks = single.get_observations(slice(0, len(single)))["action_mask"]
            numbers = single.get_actions()
            inputs = single.get_extra_model_outputs(Columns.ACTION_DIST_INPUTS)
            assert 0 < masks.mean() < 1
            assert masks[np.arange(len(numbers)), numbers].all()
            assert ((inputs == NEVER) == (masks == 0)).all()


def test_episode_runner_waits_are_no_steps_of_the_defender(task: Path) -> None:
    episode = max(make_runner(task).play(range(8), {}).episodes, key=len)

    defender = episode.agent_episodes["defender_0"]
    assert len(episode) == 8
    assert defender.get_rewards().tolist() == [-1, -1, 99]


def test_episode_runner_same_numbers_play_the_same_whoever_plays() -> None:
    first, second = make_runner("two_networks_defended"), make_runner("two_networks_defended")
    weights = first.get_state()

    played = first.play(range(8, 10), weights).episodes
    second.play(range(1), weights)
    again = second.play(range(8, 10), weights).episodes
    others = second.play(range(10, 12), weights).episodes

    assert [actions_of(e) for e in again] == [actions_of(e) for e in played]
    assert [actions_of(e) for e in others] != [actions_of(e) for e in played]


def actions_of(episode: Any) -> dict[str, list[int]]:
    return {a: e.get_actions().tolist() for a, e in episode.agent_episodes.items()}


def test_what_is_sent_to_other_machines_needs_none_of_the_agents(
    task: Path, tmp_path: Path
) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(cloudpickle.dumps((EpisodeRunner, GameEnv, env_config(task))))
    program = (
        "import pickle, sys\n"
        f"runner, env, config = pickle.load(open({str(sent)!r}, 'rb'))\n"
        "print(sorted(env(config).reset(seed=1)[0]), 'agents' in sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "['attacker_0', 'defender_0'] False\n"


@pytest.fixture(scope="module")
def trained(task: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was stopped and went on."""
    out = tmp_path_factory.mktemp("rllib")
    more = "--checkpoint-every", "64", "--out", str(out)
    assert main(arguments(task, *more, "--timesteps", "300")) == 0
    before = lines_of(out)
    last = before[-1]
    after = {**last, "episode": last["episode"] + 1, "iteration": last["iteration"] + 1}
    with (out / "episodes.jsonl").open("a") as file:
        file.write(json.dumps(after) + "\n" + '{"episode": ')  # killed after the last checkpoint
    assert main(arguments(task, *more, "--timesteps", "600", "--resume")) == 0
    assert lines_of(out)[: len(before)] == before
    return out


def test_main_counts_every_episode_once_also_after_going_on(trained: Path) -> None:
    lines = lines_of(trained)

    assert [line["episode"] for line in lines] == list(range(len(lines)))
    iterations = [line["iteration"] for line in lines]
    assert iterations == sorted(iterations)
    assert 600 <= sum(line["rounds"] for line in lines) < 600 + 200
    assert {line["env_runner"] for line in lines} == {0}
    assert {line["won"] for line in lines} == {True, False}
    for line in lines:
        if line["won"]:
            assert line["returns"]["attacker_0"] == 100 - line["rounds"]
        else:
            assert (line["rounds"], line["returns"]) == (8, {"attacker_0": -18, "defender_0": 97})


def test_main_leaves_curves_checkpoints_and_policies(trained: Path, task: Path) -> None:
    checkpoints = sorted(path.name for path in (trained / "checkpoints").iterdir())
    rounds = sum(line["rounds"] for line in lines_of(trained))

    assert len(checkpoints) == KEPT_CHECKPOINTS
    assert int(checkpoints[-1]) == rounds
    events = import_module("tensorboard.backend.event_processing.event_accumulator")  # no types
    curves = events.EventAccumulator(str(trained / "tensorboard")).Reload()
    assert {"episodes/won", "episodes/defender_0", "attacker/entropy"} < set(
        curves.Tags()["scalars"]
    )
    steps = [point.step for point in curves.Scalars("episodes/rounds")]
    assert steps == sorted(set(steps))
    assert steps[-1] == rounds
    for role in ("Attacker", "Defender"):
        header = load_policy(trained / f"{role.lower()}.npz").header
        assert (header.role, header.training) == (role, {"seed": 1, "timesteps": rounds})
        header.check(open_game(task))


@pytest.mark.parametrize("role", ["attacker", "defender"])
def test_exported_policy_plays_what_the_module_likes_best(
    trained: Path, task: Path, role: str
) -> None:
    policy = load_policy(trained / f"{role}.npz")
    runner = make_runner(task)
    last = max((trained / "checkpoints").iterdir())
    learned = last / "learner_group" / "learner" / "rl_module"
    runner.module.restore_from_path(learned)
    rng = np.random.default_rng(1)
    size, num_actions = policy.header.num_features + 1, policy.header.num_actions
    observations = rng.random((200, size), np.float32).round()
    masks = rng.random((200, num_actions)) < 0.1

    batch = {"observation": torch.from_numpy(observations), "action_mask": torch.from_numpy(masks)}
    told = runner.module[role].forward_inference({Columns.OBS: batch})
    best = told[Columns.ACTION_DIST_INPUTS].argmax(1).tolist()
    pairs = zip(observations, masks, strict=True)
    assert [policy.choose(values, mask) for values, mask in pairs] == best
    assert len(set(best)) > 20


@pytest.mark.parametrize("role", ["Attacker", "Defender"])
def test_exported_policy_plays_over_tcp(trained: Path, tmp_path: Path, role: str) -> None:
    task = tmp_path / "alone.yaml"
    players = json.dumps({"Attacker": 1, role: 1})
    task.write_text(TASK.replace("env:", f"env:\n  required_players: {players}"))
    programs = {"Attacker": "random_attacker.py"}
    with subprocess.Popen(
        [PROGRAMS / "netsecgame", "serve", task, "--game_port", "0"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            log = tmp_path / "logs" / "NSG_coordinator.log"
            while not (found := log.is_file() and LISTENING.search(log.read_text())):
                assert server.poll() is None
            where = ["--port", found[1], "--episodes", "3"]
            others = [
                subprocess.Popen([sys.executable, ROOT / "agents" / program, *where], cwd=tmp_path)
                for name, program in programs.items()
                if name != role
            ]
            path = trained / f"{role.lower()}.npz"
            done = subprocess.run(
                [sys.executable, ROOT / "agents" / "play_policy.py", path, "--task", task, *where],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            for other in others:
                assert other.wait() == 0
        finally:
            server.terminate()
    assert len(re.findall("episode .*(?:Success|Fail|Timeout)", done.stdout)) == 3


def test_evaluate_command_plays_both_policies(trained: Path, task: Path, tmp_path: Path) -> None:
    policies = [f"--agent={trained / 'attacker.npz'}", f"--defender={trained / 'defender.npz'}"]
    few = ["--episodes", "10", "--seeds", "1", "--out", "results"]
    subprocess.run(
        [PROGRAMS / "netsecgame", "evaluate", "--task", task, *policies, *few],
        cwd=tmp_path,
        check=True,
    )

    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    assert sum(summary["end_reasons"].values()) == 10


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (["--task", "two_network_defended"], "did you mean 'two_networks_defended'?"),
        (
            ["--task", "two_networks_small"],
            "is not part of this task; available roles: Attacker, Benign",
        ),
        (["--task", "two_networks_team", "--benign", "1", "--ray-address", "x"], "'x'"),
        (["--num-env-runners", "999"], "num-env-runners: expected at most "),
    ],
)
def test_main_wrong_option_is_told_in_one_line(
    wrong: list[str], reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "out"), *wrong]) == 2

    told = capfd.readouterr().err
    assert reason in told
    assert told.startswith("rllib: ")
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def damage(out: Path) -> None:
    (max((out / "checkpoints").iterdir()) / "algorithm_state.pkl").write_bytes(b"damaged")


def forget(out: Path) -> None:
    (max((out / "checkpoints").iterdir()) / "settings.json").unlink()


@pytest.mark.parametrize(
    ("more", "harm", "reason"),
    [
        ([], None, "episodes.jsonl: exists; go on with --resume, or give another --out"),
        (["--resume", "--seed", "2"], None, "was made with another seed"),
        (["--resume"], damage, "no checkpoint that can be read"),
        (["--resume"], forget, "no checkpoint that can be read"),
    ],
)
def test_main_folder_that_does_not_fit_is_told_in_one_line(
    more: list[str],
    harm: Callable[[Path], None] | None,
    reason: str,
    trained: Path,
    task: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", trained, out], check=True)
    if harm:
        harm(out)

    assert main(arguments(task, "--out", str(out), *more)) == 2

    told = capfd.readouterr().err
    assert reason in told
    assert told.count("\n") == 1
    assert lines_of(out) == lines_of(trained)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head with one processor, on which nothing is lost."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def lose(cluster: Cluster, node: Any) -> None:
    """Let a machine be gone from one moment to the next."""
    (raylet,) = node.all_processes["raylet"]
    for process in psutil.Process(raylet.process.pid).children(recursive=True):
        process.kill()
    cluster.remove_node(node, allow_graceful=False)


def wait_for_episodes(program: subprocess.Popen[str], out: Path, count: int) -> None:
    path = out / "episodes.jsonl"
    while not path.exists() or len(path.read_text().splitlines()) < count:
        assert program.poll() is None, program.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(task: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The episodes of a training in which nothing is lost."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert main(cluster_arguments(task, out, 1)) == 0
    return lines_of(out)


def cluster_arguments(task: Path, out: Path, num_env_runners: int) -> list[str]:
    own = ["--num-env-runners", str(num_env_runners), "--timesteps", "2000", "--out", str(out)]
    return arguments(task, "--batch-rounds", "150", *own)


def train_on(cluster: Cluster, options: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, ROOT / "agents" / "rllib", *options, "--ray-address", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_training_on_two_machines_one_of_them_killed_learns_from_every_episode_once(
    cluster: Cluster, undisturbed: list[dict[str, Any]], task: Path, tmp_path: Path
) -> None:
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    with train_on(cluster, cluster_arguments(task, tmp_path, 2)) as program:
        wait_for_episodes(program, tmp_path, 40)
        lose(cluster, second)
        told, errors = program.communicate()
    lines = lines_of(tmp_path)

    assert (program.returncode, errors) == (0, "")
    assert f"rounds in {len(lines):,} episodes" in told  # each counted once, or it had raised
    assert {line["env_runner"] for line in lines[:40]} == {1, 2}
    assert len({line["env_runner"] for line in lines[-40:]}) == 1
    assert without_players(lines) == without_players(undisturbed)


def test_training_all_env_runners_lost_goes_on_where_there_is_a_new_machine(
    undisturbed: list[dict[str, Any]], task: Path, tmp_path: Path
) -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        with train_on(cluster, cluster_arguments(task, tmp_path, 1)) as program:
            wait_for_episodes(program, tmp_path, 40)
            lose(cluster, second)
            cluster.add_node(num_cpus=1)
            _, errors = program.communicate()
    finally:
        cluster.shutdown()

    assert (program.returncode, errors) == (0, "")
    assert lines_of(tmp_path) == undisturbed
