from __future__ import annotations

from pathlib import Path

import pytest

from netsecgame.envs.evaluation import evaluate
from netsecgame.envs.evaluation.bench import Bench, Column, find_shipped_tasks, run_bench
from netsecgame.envs.evaluation.bench_page import make_page
from netsecgame.envs.evaluation.intervals import estimate_share
from netsecgame.envs.evaluation.plan import Plan
from netsecgame.envs.evaluation.reference import PUBLISHED_EPISODES, REFERENCES
from netsecgame.envs.evaluation.workers import Workers

TASKS = Path(__file__).resolve().parents[4] / "task_configs"
TWO = [TASKS / "two_networks_small.yaml", TASKS / "two_networks_global_defender.yaml"]
COLUMNS = [Column("random", "random"), Column("by hand", "scripted")]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def bench(cache: Path) -> Bench:
    with Workers(1) as workers:
        return run_bench(COLUMNS, cache, workers, tasks=TWO, episodes=10, seeds=2)


def test_run_bench_rows_are_tasks_without_and_with_the_global_defender(bench: Bench) -> None:
    assert [(row.task, row.global_defender) for row in bench.rows] == [
        ("two_networks_small", False),
        ("two_networks_small", True),
        ("two_networks_global_defender", False),
        ("two_networks_global_defender", True),
    ]
    for row in bench.rows:
        for column, cell in zip(COLUMNS, row.cells, strict=True):
            assert cell is not None
            assert cell.configuration["task"] == row.task
            assert cell.configuration["global_defender"] == row.global_defender
            assert cell.configuration["agent"] == column.agent
            assert ("Fail" in cell.end_reasons) <= row.global_defender


def test_run_bench_again_plays_nothing(bench: Bench, cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    told: list[tuple[int, int, str]] = []
    with Workers(1) as workers:
        again = run_bench(
            COLUMNS,
            cache,
            workers,
            tasks=TWO,
            episodes=10,
            seeds=2,
            on_progress=lambda *progress: told.append(progress),
        )

    assert again == bench
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before
    assert [played for _, played, _ in told] == list(range(20, 12 * 20 + 1, 20))
    assert {total for total, _, _ in told} == {12 * 20}
    assert told[1][2] == "two_networks_small, scripted"


def test_run_bench_column_of_policies_has_cells_where_it_has_files(
    bench: Bench, cache: Path, tmp_path: Path
) -> None:
    with Workers(1) as workers:
        columns = [COLUMNS[0], Column("learned", tmp_path)]
        rows = run_bench(columns, cache, workers, tasks=TWO[:1], episodes=10, seeds=2).rows

    assert [row.cells for row in rows] == [[row.cells[0], None] for row in bench.rows[:2]]


def test_column_of_policies_prefers_the_one_trained_with_the_global_defender(
    tmp_path: Path,
) -> None:
    column = Column("learned", tmp_path)
    alone = tmp_path / "two_networks_small" / "policy.npz"
    watched = alone.parent / "global_defender" / "policy.npz"
    watched.parent.mkdir(parents=True)

    def agents() -> list[str | None]:
        both = (False, True)
        return [column.agent_for("two_networks_small", global_defender=each) for each in both]

    assert agents() == [None, None]
    watched.touch()
    assert agents() == [None, str(watched)]
    alone.touch()
    assert agents() == [str(alone), str(watched)]
    watched.unlink()
    assert agents() == [str(alone), str(alone)]


def test_make_page_has_every_figure(bench: Bench) -> None:
    lines = make_page(bench, [("by", "`me`"), ("on", "2026-01-02")]).splitlines()

    assert lines[0] == "# Results"
    assert "| by | `me` |" in lines
    assert "| task | global defender | random | by hand |" in lines
    cell = bench.rows[0].cells[1]
    assert cell is not None
    assert cell.episodes["win_rate"].value == 1
    row = next(line for line in lines if line.startswith("| two_networks_small | no |"))
    assert row.endswith("| 100.0 % (83.9 to 100.0) |")
    # Four tables; where nobody watches nobody is detected.
    assert sum(line.startswith("| two_networks_small | no |") for line in lines) == 3
    assert sum(line.startswith("| two_networks_small | yes |") for line in lines) == 4
    assert "| scenario | global defender | public (300 episodes) | here (20 episodes) |" in lines
    assert any(line.startswith("| scenario1_small | no | 8.0 % (5.4 to 11.6) |") for line in lines)


def test_make_page_no_policy_for_a_task_is_a_dash(bench: Bench) -> None:
    row = bench.rows[0]._replace(cells=[bench.rows[0].cells[0], None])
    page = make_page(bench._replace(rows=[row]), [])

    assert "| two_networks_small | no |" in page
    assert page.count(" | - |\n") == 3


def test_find_shipped_tasks_finds_all() -> None:
    assert find_shipped_tasks() == sorted(TASKS.glob("*.yaml"))
    assert len(find_shipped_tasks()) >= 13


@pytest.mark.parametrize("reference", REFERENCES, ids=str)
def test_references_random_attacker_is_near_the_public_one(
    reference: object, tmp_path: Path
) -> None:
    """With a fixed seed nothing is left to chance."""
    [found] = [each for each in REFERENCES if each == reference]
    ours = evaluate(Plan(found.task, "random", episodes=300), tmp_path).episodes["win_rate"]
    theirs = estimate_share(found.won, PUBLISHED_EPISODES)

    assert None not in (ours.low, ours.high, theirs.low, theirs.high)
    assert (ours.low or 0) <= (theirs.high or 1)
    assert (theirs.low or 0) <= (ours.high or 1)


def test_references_tasks_are_as_published() -> None:
    for reference in REFERENCES:
        spec = reference.task.load()
        assert spec.task.scenario == reference.scenario
        assert (spec.task.detection is not None) is reference.global_defender
        assert Plan(reference.task, "random").configuration(spec)["max_steps"] == 100
