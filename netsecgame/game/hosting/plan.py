"""What a server process hosts, as values that can be sent to another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from netsecgame.game.worlds.NetSecGame import NetSecGame


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """Which games to host, where, and how.

    Attributes:
        world: The world of all games.
        task: The task file of all games.
        host: Address to listen on.
        port: Of game 0; game i listens on port + i. 0 takes free ones.
        seed: Of game 0; game i has seed + i. None is the task's seed.
        games: How many games there are, those of other processes included.
        numbers: The games of this process.
        worker: Number of this process among the workers; None if it is none.
        log_level: What is logged.
        loop: Which event loop; one of `event_loop.LOOPS`.
        stops_with_stdin: Whether the end of standard input stops the process too.
        options: Of the world, by name.
    """

    world: type[NetSecGame]
    task: Path
    host: str
    port: int
    seed: int | None = None
    games: int = 1
    numbers: range = range(1)
    worker: int | None = None
    log_level: str = "INFO"
    loop: str = "auto"
    stops_with_stdin: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_numbered(self) -> bool:
        """Whether there are several games, so that each is called by its number."""
        return self.games > 1

    def port_of(self, number: int) -> int:
        """Where a game is to listen; 0 takes a free port."""
        return self.port and self.port + number


def describe_numbers(numbers: Iterable[int]) -> str:
    """Numbers as people write them: `8-15` if each is the next, else `8, 10, 15`."""
    listed = list(numbers)
    if len(listed) > 1 and listed == list(range(listed[0], listed[-1] + 1)):
        return f"{listed[0]}-{listed[-1]}"
    return ", ".join(map(str, listed))
