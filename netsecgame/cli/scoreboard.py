"""How a match stands: counted from the agents' reports, shown while it runs and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.progress import TextColumn
from rich.table import Table

from netsecgame.cli.console import PLAIN_LINES, LiveLine
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from netsecgame.agents.episodic_agent import EpisodeReport
    from netsecgame.cli.line_up import Seat


@dataclass
class Tally:
    """The sum of some episodes.

    Attributes:
        episodes: How many.
        wins: How many of them ended with success.
        total_reward: Of all of them.
        steps: Of all of them.
        seconds: Spent in them.
    """

    episodes: int = 0
    wins: int = 0
    total_reward: float = 0
    steps: int = 0
    seconds: float = 0

    def add(self, report: EpisodeReport) -> None:
        """Count one more episode."""
        self.episodes += 1
        self.wins += report.end_reason == AgentStatus.Success
        self.total_reward += report.total_reward
        self.steps += report.steps
        self.seconds += report.seconds

    @property
    def win_rate(self) -> float:
        """0..1; 0 before the first episode."""
        return self.wins / max(1, self.episodes)

    @property
    def mean_return(self) -> float:
        """Of an episode; 0 before the first one."""
        return self.total_reward / max(1, self.episodes)

    @property
    def mean_steps(self) -> float:
        """Of an episode; 0 before the first one."""
        return self.steps / max(1, self.episodes)

    @property
    def steps_per_s(self) -> float:
        """While playing; 0 before the first episode."""
        return self.steps / self.seconds if self.seconds else 0


class Scoreboard(LiveLine):
    """A match as people see it: a live line, or some plain ones, and a table at the end.

    Use it as a context manager around the match.
    """

    def __init__(self, console: Console, seats: Iterable[Seat], episodes: int) -> None:
        super().__init__(
            console,
            TextColumn("episode {task.completed}/{task.total}"),
            TextColumn("{task.description}"),
        )
        self._episodes = episodes
        self._tallies = {seat: Tally() for seat in seats}
        self._attackers = Tally()
        self._next_line = 1
        self._line = self.progress.add_task(self._describe(), total=episodes)

    def add(self, seat: Seat, report: EpisodeReport) -> None:
        """Count an episode of an agent, and show how the match stands."""
        self._tallies[seat].add(report)
        if seat.role is not AgentRole.Attacker:
            return
        self._attackers.add(report)
        played = self.episodes_played
        self.progress.update(self._line, completed=played, description=self._describe())
        if not self.console.is_terminal and played >= self._next_line:
            self._next_line = played + max(1, self._episodes // PLAIN_LINES)
            self.console.print(f"episode {played}/{self._episodes}  {self._describe()}")

    @property
    def episodes_played(self) -> int:
        """Episodes that are over for all attackers."""
        return min(
            tally.episodes
            for seat, tally in self._tallies.items()
            if seat.role is AgentRole.Attacker
        )

    def episodes_of(self, seat: Seat) -> int:
        """Episodes that are over for an agent."""
        return self._tallies[seat].episodes

    def print_table(self) -> None:
        """Print how each agent did."""
        table = Table(box=box.SIMPLE_HEAD, header_style="bold")
        table.add_column("agent", no_wrap=True)
        for title in ("episodes", "won", "mean return", "mean steps", "steps/s"):
            table.add_column(title, justify="right")
        for seat, tally in self._tallies.items():
            can_win = seat.role is not AgentRole.Benign
            table.add_row(
                seat.name,
                str(tally.episodes),
                f"{tally.wins} ({tally.win_rate:.0%})" if can_win else "-",
                f"{tally.mean_return:.1f}",
                f"{tally.mean_steps:.1f}",
                f"{tally.steps_per_s:,.0f}",
            )
        self.console.print(table)

    def _describe(self) -> str:
        attackers, steps = self._attackers, sum(t.steps for t in self._tallies.values())
        seconds = max(tally.seconds for tally in self._tallies.values())
        rate = steps / seconds if seconds else 0
        return (
            f"win rate {attackers.win_rate:.0%}, mean return {attackers.mean_return:.1f}, "
            f"{rate:,.0f} steps/s"
        )
