"""`netsecgame evaluate`: plays an evaluation, or goes on with it, and shows what came of it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.progress import TextColumn, TimeRemainingColumn
from rich.table import Table

from netsecgame.cli.console import PLAIN_LINES, CommandConsole, LiveLine
from netsecgame.cli.stopping import Stopped, stop_signals_raised
from netsecgame.envs.evaluation import evaluate
from netsecgame.envs.evaluation.workers import WorkerLostError, Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from netsecgame.envs import evaluation
    from netsecgame.envs.evaluation import Plan, Summary
    from netsecgame.envs.evaluation.workers import ChunkPlayers

EXIT_OK, EXIT_FAILED = 0, 1


def run_evaluation(plan: Plan, folder: Path, place: Place) -> int:
    """Play what is missing and print the figures; returns the exit status.

    Args:
        plan: What to play.
        folder: Where the results go.
        place: Where it is played.
    """
    console = CommandConsole(highlight=False, soft_wrap=True)
    line = ProgressLine(console)
    try:
        with stop_signals_raised(), line, place.open() as workers:
            summary = evaluate(plan, folder, workers=workers, on_progress=line.show_wins)
    except Stopped as stopped:
        console.print(f"{stopped}; the same command goes on from there")
        return stopped.exit_status
    except WorkerLostError as error:
        print(f"{error}; the same command goes on from there", file=sys.stderr)  # noqa: T201
        return EXIT_FAILED
    print_summary(console, summary)
    console.print(f"Episodes and figures are in {folder}.")
    return EXIT_OK


class Place(NamedTuple):
    """Where episodes are played: in processes of this machine, or on a Ray cluster.

    Attributes:
        jobs: How many processes; None is one a processor.
        ray_address: Of the cluster; None is no cluster.
    """

    jobs: int | None = None
    ray_address: str | None = None

    @contextmanager
    def open(self) -> Iterator[ChunkPlayers]:
        """Whoever plays there.

        Raises:
            ConfigurationError: If there is no such cluster.
        """
        if self.ray_address is None:
            with Workers(self.jobs) as workers:
                yield workers
            return
        # Few have Ray, and it takes a second.
        from netsecgame.conductor import RayWorkers, open_cluster  # noqa: PLC0415

        with open_cluster(self.ray_address):
            yield RayWorkers()


def print_summary(console: Console, summary: Summary) -> None:
    """Print the figures of an evaluation."""
    settings = summary.configuration
    defender = " with the global defender" if settings["global_defender"] else ""
    table = Table(title=f"{summary.title}{defender}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("metric", no_wrap=True)
    for title in ("value", "95 % over episodes", "95 % over seeds"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in summary.rows():
        table.add_row(*row)
    console.print(table)
    ends = ", ".join(f"{reason} {count}" for reason, count in summary.end_reasons.items())
    console.print(f"{settings['seeds']} x {settings['episodes']} episodes: {ends}")


class ProgressLine(LiveLine):
    """How far an evaluation is: a live bar, or some plain lines where there is no terminal.

    Use it as a context manager around the evaluation. Its text is what was shown last.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(
            console,
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} episodes"),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        self._played, self._total = 0, 0
        self._next_line = 0
        self._bar = self.progress.add_task("", total=None, visible=False)

    def show_wins(self, progress: evaluation.Progress) -> None:
        """Show how far an evaluation is, and how it stands."""
        total, played, won = progress
        self.show(total, played, f"won {won / played:.1%}" if played else "")

    def show(self, total: int, played: int, text: str) -> None:
        """Show how many episodes have been played, and a text."""
        self._played, self._total = played, total
        self.progress.update(
            self._bar, total=total, completed=played, description=text, visible=True
        )
        if not self.console.is_terminal and (played >= self._next_line or played == total):
            self._next_line = played + max(1, total // PLAIN_LINES)
            self.console.print(f"{self}  {text}".rstrip())

    def __str__(self) -> str:
        return f"{self._played:,} of {self._total:,} episodes"
