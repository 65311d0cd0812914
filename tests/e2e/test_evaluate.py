"""The real `netsecgame evaluate`, as a process with processes of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from netsecgame.envs.evaluation import Plan, TaskVariant
from netsecgame.envs.evaluation.episodes import EpisodePlayer

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TASK = ROOT / "task_configs" / "two_networks_tiny.yaml"

#: What is due does not take that long; a test that waits longer has failed.
DEADLINE_S = 30.0

#: More than can be played while a test looks on: lines tell of every tenth of it.
ENDLESS = 10_000_000


def _command(out: Path, episodes: int) -> list[str]:
    options = ["--agent", "random", "--episodes", str(episodes), "--seeds", "1", "--jobs", "2"]
    command = [sys.executable, "-m", "netsecgame.cli", "evaluate", "--task", str(TASK)]
    return [*command, *options, "--out", str(out)]


def _played(out: Path) -> list[dict[str, object]]:
    """The whole lines."""
    path = out / "episodes" / "seed_0.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


@contextmanager
def _playing(out: Path, more_than: int = 0) -> Iterator[subprocess.Popen[str]]:
    """An evaluation without end that has played more episodes than that."""
    with subprocess.Popen(
        _command(out, ENDLESS), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while len(_played(out)) <= more_than:
                assert process.poll() is None, process.stderr and process.stderr.read()
            yield process
        finally:
            process.kill()


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children(recursive=True))


def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in _children(process) if "spawn_main" in " ".join(child.cmdline())]


def test_evaluate_killed_twice_loses_and_repeats_no_episode(tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = [0]
    for _ in range(2):
        with _playing(out, counts[-1]) as process:
            workers = _workers(process)
            process.kill()
            _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
        assert workers
        assert alive == []
        counts.append(len(_played(out)))
    with (out / "episodes" / "seed_0.jsonl").open("ab") as file:
        file.write(b'{"episode":')  # as if it had been killed while it wrote

    with _playing(out, counts[-1]) as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)

    played = _played(out)
    assert 0 < counts[1] < counts[2] < len(played)
    plan = Plan(TaskVariant.find(TASK), "random", episodes=ENDLESS)
    player = EpisodePlayer(plan.load())
    expected = [player.play(0, episode) for episode in range(len(played))]
    assert [record["episode"] for record in played] == list(range(len(played)))
    assert [record["seed"] for record in played] == [record.seed for record in expected]
    assert [record["return"] for record in played] == [record.total_reward for record in expected]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_evaluate_stopped_by_a_signal_says_so_and_leaves_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    with _playing(tmp_path / "out") as process:
        children = _children(process)
        # As a terminal does it: to all processes.
        for child in children:
            child.send_signal(number)
        process.send_signal(number)
        output, errors = process.communicate(timeout=DEADLINE_S)

    assert len(children) >= 2
    assert process.returncode == 128 + number
    assert errors == ""
    assert f"stopped by {number.name}; the same command goes on from there" in output
    assert psutil.wait_procs(children, timeout=DEADLINE_S)[1] == []


def test_evaluate_worker_killed_is_told(tmp_path: Path) -> None:
    with _playing(tmp_path / "out") as process:
        children = _children(process)
        _workers(process)[0].kill()
        _, errors = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert errors == (
        "a worker process was ended from outside; the same command goes on from there\n"
    )
    assert psutil.wait_procs(children, timeout=DEADLINE_S)[1] == []


def test_evaluate_to_the_end_prints_a_table(tmp_path: Path) -> None:
    done = subprocess.run(
        _command(tmp_path / "out", 60), capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "random against nobody on two_networks_tiny" in done.stdout
    assert "\x1b" not in done.stdout
    assert len(_played(tmp_path / "out")) == 60
