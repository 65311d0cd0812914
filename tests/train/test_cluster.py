from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from netsecgame.conductor import RayWorkers, open_cluster, ray_workers
from netsecgame.envs import open_game
from netsecgame.envs.evaluation import Plan, Progress, TaskVariant, evaluate
from netsecgame.envs.evaluation.episodes import Chunk, EpisodePlayer
from netsecgame.envs.policies import PolicyHeader, TablePolicy, save_policy
from netsecgame.errors import ConfigurationError
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK = TaskVariant.find("two_networks_small")
ROOT = Path(__file__).resolve().parents[2]
NETSECGAME = Path(sys.executable).with_name("netsecgame")

pytestmark = [
    pytest.mark.timeout(300),
]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Two machines with one processor each; the second may be lost."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def files(folder: Path) -> dict[str, bytes]:
    """What came of an evaluation; the manifest says when that was."""
    paths = (path for path in folder.rglob("*.*") if path.name not in {"manifest.json", ".lock"})
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def processes(node: Any) -> list[psutil.Process]:
    """Those of one machine of a cluster."""
    (raylet,) = node.all_processes["raylet"]
    return psutil.Process(raylet.process.pid).children(recursive=True)


def is_playing(node: Any) -> bool:
    """Whether a machine plays a chunk right now."""
    return any("_play_chunk" in " ".join(child.cmdline()) for child in processes(node))


def lose(cluster: Cluster, node: Any) -> None:
    """Let a machine be gone from one moment to the next."""
    for process in processes(node):
        process.kill()
    cluster.remove_node(node, allow_graceful=False)


def test_evaluation_on_two_machines_one_of_them_killed_counts_every_episode_once(
    cluster: Cluster, tmp_path: Path
) -> None:
    plan = Plan(TASK, "no-repeat-random", episodes=1_000, seeds=2)
    (second,) = cluster.worker_nodes
    killed_at: list[int] = []
    seen: list[int] = []

    def kill_in_mid_run(progress: Progress) -> None:
        seen.append(progress.played)
        if not killed_at and progress.played >= 200 and is_playing(second):
            lose(cluster, second)
            killed_at.append(progress.played)

    with open_cluster(cluster.address):
        there = evaluate(
            plan, tmp_path / "there", workers=RayWorkers(), on_progress=kill_in_mid_run
        )
    here = evaluate(plan, tmp_path / "here")

    assert killed_at
    assert killed_at[0] < 1_900
    assert seen == [*range(0, 2_001, 25)]
    assert there == here
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_play_machines_need_none_of_the_files(cluster: Cluster, tmp_path: Path) -> None:
    path, task = tmp_path / "mine.npz", tmp_path / "my_task.yaml"
    task.write_text(Path(str(TASK.source)).read_text())
    header = PolicyHeader.of(open_game(task), AgentRole.Attacker, "blank", "my_task")
    save_policy(TablePolicy(header, {}), path)
    plan = Plan(TaskVariant.find(task), str(path))
    player = EpisodePlayer(plan.load())

    def chunks_without_files() -> Iterator[Chunk]:
        path.unlink()
        task.unlink()
        for seed in range(4):
            yield Chunk(seed, range(5))

    with open_cluster(cluster.address):
        played = list(RayWorkers().play("key", plan, chunks_without_files()))

    assert [records for _, records in played] == [
        player.play_chunk(Chunk(seed, range(5))) for seed in range(4)
    ]


def command(folder: Path, address: str, episodes: int) -> subprocess.Popen[str]:
    options = "evaluate --task two_networks_small --agent scripted --seeds 1 --out results"
    where = ["--episodes", str(episodes), "--ray-address", address]
    return subprocess.Popen(
        [NETSECGAME, *options.split(), *where],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_evaluate_command_plays_on_a_cluster_and_goes_on_after_a_stop(
    cluster: Cluster, tmp_path: Path
) -> None:
    episodes = tmp_path / "results" / "episodes" / "seed_0.jsonl"
    with command(tmp_path, cluster.address, 2_000) as stopped:
        while not episodes.exists():
            assert stopped.poll() is None
        stopped.terminate()
        told, errors = stopped.communicate()
        assert (stopped.returncode, errors) == (143, "")
        assert "stopped by SIGTERM; the same command goes on from there" in told
    played = len(episodes.read_text().splitlines())
    assert 0 < played < 2_000
    with command(tmp_path, cluster.address, 2_000) as finished:
        told, errors = finished.communicate()
        assert (finished.returncode, errors) == (0, "")
        assert f"{played:,} of 2,000 episodes" in told
        assert "100.0 %" in told
    lines = episodes.read_text().splitlines()
    assert [json.loads(line)["episode"] for line in lines] == list(range(2_000))


def test_play_machine_of_another_version_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ray_workers, "__version__", "9.9.9")
    with (
        open_cluster(cluster.address),
        pytest.raises(ConfigurationError, match=r"expected netsecgame 9\.9\.9, this machine has"),
    ):
        evaluate(Plan(TASK, "random"), tmp_path, workers=RayWorkers())


def test_open_cluster_nobody_there_says_so_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConfigurationError, match=re.escape(f"cluster at {address!r}")),
            open_cluster(address),
        ):
            pass
    with (
        pytest.raises(ConfigurationError, match="ray-address: there is no Ray cluster at 'x'"),
        open_cluster("x"),
    ):
        pass


@pytest.fixture
def page() -> list[str]:
    """What the page on clusters shows: commands, and a program."""
    text = (ROOT / "docs" / "cluster.md").read_text()
    return [text.split(f"```{kind}\n")[1].split("```")[0] for kind in ("sh", "python")]


def test_cluster_page_commands_start_a_cluster_and_play_there(
    page: list[str], tmp_path: Path
) -> None:
    install, start, evaluation = map(shlex.split, page[0].splitlines())
    assert install == ["pip", "install", ".[cluster]"]
    start[start.index("--port") + 1] = "0"
    with TemporaryDirectory(prefix="ray") as own:  # the names of Ray's sockets have to be short
        environment = {**os.environ, "RAY_TMPDIR": own}
        ray_program = NETSECGAME.with_name("ray")
        head = subprocess.Popen(
            [ray_program, *start[1:], "--num-cpus", "1", "--block"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        with head:
            try:
                assert head.stdout is not None
                while "Ray runtime started" not in head.stdout.readline():
                    assert head.poll() is None
                done = subprocess.run(
                    [NETSECGAME, *evaluation[1:]],
                    env=environment,
                    cwd=tmp_path,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            finally:
                head.terminate()
    assert (done.returncode, done.stderr) == (0, "")
    assert "1,000 of 1,000 episodes" in done.stdout
    assert (tmp_path / "results" / "cluster" / "summary.md").is_file()


def test_cluster_page_program_starts_a_ray_of_its_own(page: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", page[1]], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "scripted against nobody on two_networks_small Estimate(value=1.0" in done.stdout
