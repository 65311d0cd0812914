from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsecgame.envs.evaluation import Plan, Progress, TaskVariant, evaluate
from netsecgame.envs.evaluation.episodes import EpisodePlayer
from netsecgame.envs.evaluation.workers import Workers
from netsecgame.errors import ConfigurationError, RoleNotAvailableError

TASKS = Path(__file__).resolve().parents[4] / "task_configs"

EPISODES, SEEDS = 60, 2


def _plan(agent: str = "random", **settings: Any) -> Plan:
    task = TaskVariant.find(TASKS / "two_networks_small.yaml", global_defender=True)
    return Plan(task, agent, **{"episodes": EPISODES, "seeds": SEEDS, **settings})


def _contents(folder: Path) -> dict[str, bytes]:
    """What an evaluation leaves; the manifest also says when it began."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    settings = json.loads(files.pop("manifest.json"))["configuration"]
    return files | {"settings": json.dumps(settings).encode()}


class _StopError(Exception):
    pass


def _stop_after(count: int) -> Any:
    def show(progress: Progress) -> None:
        if progress.played >= count:
            raise _StopError

    return show


def test_evaluate_gives_and_writes_the_figures(tmp_path: Path) -> None:
    seen: list[Progress] = []
    summary = evaluate(_plan(), tmp_path / "out", on_progress=seen.append)

    assert seen[0] == Progress(120, 0, 0)
    assert [progress.played for progress in seen] == [0, 25, 50, 60, 85, 110, 120]
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary.as_dict()
    assert (tmp_path / "out" / "summary.md").read_text() == summary.as_markdown()
    assert seen[-1].won == round(summary.episodes["win_rate"].value * 120)
    lines = (tmp_path / "out" / "episodes" / "seed_1.jsonl").read_text().splitlines()
    player = EpisodePlayer(_plan().load())
    assert [json.loads(line)["return"] for line in lines] == [
        player.play(1, episode).total_reward for episode in range(EPISODES)
    ]


@pytest.mark.parametrize("stops", [(0,), (25,), (60,), (85,), (120,), (25, 50, 85)])
def test_evaluate_stopped_and_resumed_leaves_the_same_files(
    stops: tuple[int, ...], tmp_path: Path
) -> None:
    whole = evaluate(_plan(), tmp_path / "whole")
    for stop in stops:
        with pytest.raises(_StopError):
            evaluate(_plan(), tmp_path / "parts", on_progress=_stop_after(stop))
    parts = evaluate(_plan(), tmp_path / "parts")

    assert parts == whole
    assert _contents(tmp_path / "parts") == _contents(tmp_path / "whole")


def test_evaluate_line_cut_by_a_crash_is_played_again(tmp_path: Path) -> None:
    whole = evaluate(_plan(), tmp_path / "whole")
    with pytest.raises(_StopError):
        evaluate(_plan(), tmp_path / "parts", on_progress=_stop_after(85))
    file = tmp_path / "parts" / "episodes" / "seed_1.jsonl"
    file.write_bytes(file.read_bytes()[:-20])

    assert evaluate(_plan(), tmp_path / "parts") == whole
    assert _contents(tmp_path / "parts") == _contents(tmp_path / "whole")


def test_evaluate_in_processes_leaves_the_same_files(tmp_path: Path) -> None:
    alone = evaluate(_plan(), tmp_path / "alone")
    with Workers(2) as workers:
        shared = evaluate(_plan(), tmp_path / "shared", workers=workers)
        # The same processes take the next plan.
        other = evaluate(_plan("no-repeat-random"), tmp_path / "other", workers=workers)

    assert shared == alone
    assert _contents(tmp_path / "shared") == _contents(tmp_path / "alone")
    assert other == evaluate(_plan("no-repeat-random"), tmp_path / "again")


def test_evaluate_in_processes_stopped_is_resumed(tmp_path: Path) -> None:
    with pytest.raises(_StopError), Workers(2) as workers:
        evaluate(_plan(), tmp_path / "parts", workers=workers, on_progress=_stop_after(50))
    assert not (tmp_path / "parts" / "summary.json").exists()

    assert evaluate(_plan(), tmp_path / "parts") == evaluate(_plan(), tmp_path / "whole")
    assert _contents(tmp_path / "parts") == _contents(tmp_path / "whole")


def test_evaluate_finished_reads_and_plays_nothing(tmp_path: Path) -> None:
    summary = evaluate(_plan(), tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    seen: list[Progress] = []

    assert evaluate(_plan(), tmp_path / "out", on_progress=seen.append) == summary
    assert seen == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_evaluate_finished_without_summary_writes_it(tmp_path: Path) -> None:
    summary = evaluate(_plan(), tmp_path / "out")
    content = _contents(tmp_path / "out")
    (tmp_path / "out" / "summary.json").unlink()

    assert evaluate(_plan(), tmp_path / "out") == summary
    assert _contents(tmp_path / "out") == content


def test_evaluate_folder_of_another_plan_is_refused(tmp_path: Path) -> None:
    evaluate(_plan(), tmp_path / "out")

    with pytest.raises(ConfigurationError, match="agent is random there, scripted was asked for"):
        evaluate(_plan("scripted"), tmp_path / "out")


def test_evaluate_plan_that_cannot_be_played_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RoleNotAvailableError):
        evaluate(_plan(defender="random"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
