from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from netsecgame.envs.evaluation import Plan, TaskVariant
from netsecgame.envs.evaluation.episodes import Chunk, EpisodePlayer
from netsecgame.envs.evaluation.workers import WorkerLostError, Workers, count_processors

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK = TaskVariant.find(
    Path(__file__).resolve().parents[4] / "task_configs" / "two_networks_tiny.yaml"
)
PLAN = Plan(TASK, "random")


def _endless() -> Iterator[Chunk]:
    return (Chunk(seed, range(3)) for seed in count())


def _processes() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@pytest.mark.parametrize("jobs", [1, 2])
def test_play_gives_chunks_in_order(jobs: int) -> None:
    chunks = [Chunk(seed, range(seed, seed + 2)) for seed in (3, 1, 2, 5, 4, 9, 8, 7, 6)]
    player = EpisodePlayer(PLAN.load())
    with Workers(jobs) as workers:
        played = list(workers.play("key", PLAN, chunks))

    assert played == [(chunk, player.play_chunk(chunk)) for chunk in chunks]


def test_play_one_job_starts_no_process() -> None:
    with Workers(1) as workers:
        next(workers.play("key", PLAN, _endless()))
        assert _processes() == []


def test_exit_after_an_error_ends_the_processes_at_once() -> None:
    started: list[psutil.Process] = []

    def fail_in_mid_run() -> None:
        with Workers(2) as workers:
            next(workers.play("key", PLAN, _endless()))
            started.extend(_processes())
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        fail_in_mid_run()
    assert started
    assert psutil.wait_procs(started, timeout=20)[1] == []


def test_play_process_killed_raises_and_can_be_left_in_peace() -> None:
    with Workers(2) as workers:
        plays = workers.play("key", PLAN, _endless())
        next(plays)
        started = _processes()
        started[0].kill()
        with pytest.raises(WorkerLostError, match="a worker process was ended from outside"):
            list(plays)

    assert psutil.wait_procs(started, timeout=20)[1] == []


def test_count_processors_is_what_this_process_may_use() -> None:
    assert count_processors() == len(psutil.Process().cpu_affinity())
