"""Many attackers on many tasks, with and without the global defender."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.envs.evaluation.plan import Plan, TaskVariant
from netsecgame.envs.evaluation.reference import REFERENCES
from netsecgame.envs.evaluation.run import evaluate
from netsecgame.envs.opponents.making import POLICY_SUFFIX
from netsecgame.errors import TaskError
from netsecgame.game.task_files import TASKS_DIRS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netsecgame.envs.evaluation.run import Progress
    from netsecgame.envs.evaluation.summary import Summary
    from netsecgame.envs.evaluation.workers import ChunkPlayers

_DIGITS = 12
_WATCHED = "global_defender"


class Column(NamedTuple):
    """An attacker that is trained for every task by itself, or needs no training.

    Attributes:
        title: What people call it.
        agent: Its name, or the folder of its policies. In it, each task has a folder as learners
            leave it: `TASK/policy.npz`, and `TASK/global_defender/policy.npz` if there is another
            that was trained with the global defender.
    """

    title: str
    agent: str | Path

    def agent_for(self, task: str, *, global_defender: bool = False) -> str | None:
        """Who plays a task; None if there is no policy for it."""
        if isinstance(self.agent, str):
            return self.agent
        own = self.file_for(task, global_defender=global_defender)
        paths = (own, self.file_for(task, global_defender=False))
        return next((str(path) for path in paths if path.is_file()), None)

    def file_for(self, task: str, *, global_defender: bool) -> Path:
        """Where its policy for a task is, if it has one of its own."""
        folder = Path(self.agent) / task
        return (folder / _WATCHED if global_defender else folder) / f"policy{POLICY_SUFFIX}"


class Row(NamedTuple):
    """One task, and how the attackers do on it.

    Attributes:
        task: Its name.
        global_defender: Whether there is one.
        cells: One for each column; None if it has no policy for that task.
    """

    task: str
    global_defender: bool
    cells: list[Summary | None]


class Bench(NamedTuple):
    """All that a page of results shows.

    Attributes:
        columns: The attackers.
        rows: How they do on the shipped tasks.
        references: By place in `REFERENCES`, how our random attacker does there.
    """

    columns: Sequence[Column]
    rows: list[Row]
    references: list[Summary]


def run_bench(
    columns: Sequence[Column],
    cache: Path,
    workers: ChunkPlayers,
    *,
    tasks: Iterable[Path],
    episodes: int,
    seeds: int,
    on_progress: Callable[[int, int, str], object] = lambda *_: None,
) -> Bench:
    """Play everything that the cache does not have yet.

    Args:
        columns: The attackers.
        cache: A folder; each evaluation has one of its own in it.
        workers: Who plays.
        tasks: Task files.
        episodes: How many for each seed.
        seeds: How many.
        on_progress: Called with the episodes in all, those played, and what is played now.

    Raises:
        ConfigurationError: If a policy is one for another task, or the cache is damaged.
    """
    places = [
        TaskVariant.find(task, global_defender=watched)
        for task, watched in product(tasks, (False, True))
    ]
    plans: list[Plan | None] = []
    for place in places:
        watched = bool(place.global_defender)
        agents = [column.agent_for(place.name, global_defender=watched) for column in columns]
        plans += [
            Plan(place, agent, episodes=episodes, seeds=seeds) if agent else None
            for agent in agents
        ]
    plans += [Plan(r.task, "random", episodes=episodes, seeds=seeds) for r in REFERENCES]
    total = sum(plan.total for plan in plans if plan)
    done = 0

    def play(plan: Plan | None) -> Summary | None:
        nonlocal done
        if plan is None:
            return None
        text = f"{plan.task.name}, {plan.agent}"

        def tell(progress: Progress) -> None:
            on_progress(total, done + progress.played, text)

        folder = cache / f"{plan.task.name}-{plan.digest(plan.task.load())[:_DIGITS]}"
        summary = evaluate(plan, folder, workers=workers, on_progress=tell)
        done += plan.total
        on_progress(total, done, text)
        return summary

    summaries = list(map(play, plans))
    width = len(columns)
    rows = [
        Row(place.name, bool(place.global_defender), summaries[i * width : (i + 1) * width])
        for i, place in enumerate(places)
    ]
    references = [summary for summary in summaries[len(rows) * width :] if summary is not None]
    return Bench(columns, rows, references)


def find_shipped_tasks() -> list[Path]:
    """The task files that come with the package, in the order of their names.

    Raises:
        TaskError: If they are not there.
    """
    shipped = TASKS_DIRS[1:]  # the first is wherever somebody works
    folder = next((folder for folder in shipped if folder.is_dir()), None)
    if folder is None:
        raise TaskError(f"found no tasks in {' or '.join(map(str, shipped))}")
    return sorted(folder.glob("*.yaml"))
