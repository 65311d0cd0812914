"""Who plays a match: enough agents for the task, and the programs they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.errors import ConfigurationError
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netsecgame.core.task import Task

_PACKAGE_DIR = Path(__file__).resolve().parents[1]

#: Where the shipped agents are: inside an installed package, or beside the package in a checkout.
AGENTS_DIRS = (_PACKAGE_DIR / "shipped_agents", _PACKAGE_DIR.parent / "agents")


class Seat(NamedTuple):
    """One agent of a match.

    Attributes:
        name: What people call it; no two of a match have the same.
        role: What it plays.
        program: The file that is run.
    """

    name: str
    role: AgentRole
    program: Path


def line_up(
    task: Task, attacker: str, *, with_defender: bool | None = None, benign: int = 0
) -> list[Seat]:
    """The agents of a match: those asked for, and as many more as the task waits for.

    Args:
        task: What they play.
        attacker: ``random`` or ``scripted``.
        with_defender: Whether a defender plays; None is whether the task has that role.
        benign: How many benign agents play at least.

    Raises:
        ConfigurationError: If the task and what was asked for do not go together.
    """
    has_defender = AgentRole.Defender in task.roles
    if with_defender and not has_defender:
        raise ConfigurationError("this task has no Defender; play it with --defender none")
    required = task.required_players
    at_least = Counter() if isinstance(required, int) else Counter(required)
    counts = Counter(
        {
            AgentRole.Attacker: max(1, at_least[AgentRole.Attacker]),
            AgentRole.Defender: max(1, at_least[AgentRole.Defender]),
            AgentRole.Benign: max(benign, at_least[AgentRole.Benign]),
        }
    )
    if with_defender is False or not has_defender:
        if at_least[AgentRole.Defender]:
            raise ConfigurationError(
                f"this task waits for {at_least[AgentRole.Defender]} Defender; "
                "play it with --defender random"
            )
        counts[AgentRole.Defender] = 0
    if isinstance(required, int):
        counts[AgentRole.Attacker] += max(0, required - counts.total())
    return [
        *_seats(f"{attacker} attacker", AgentRole.Attacker, f"{attacker}_attacker", counts),
        *_seats("random defender", AgentRole.Defender, "random_defender", counts),
        *_seats("benign agent", AgentRole.Benign, "benign", counts),
    ]


def describe(seats: Iterable[Seat]) -> str:
    """Who plays, in one line, e.g. ``2 scripted attackers, 1 random defender``."""
    kinds = Counter(seat.name.rstrip(" 0123456789") for seat in seats)
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in kinds.items())


def _seats(name: str, role: AgentRole, program: str, counts: Counter[AgentRole]) -> list[Seat]:
    count = counts[role]
    if count == 0:
        return []
    path = find_agent(program)
    return [Seat(f"{name} {i}" if count > 1 else name, role, path) for i in range(1, count + 1)]


def find_agent(program: str) -> Path:
    """The file of a shipped agent.

    Raises:
        ConfigurationError: If it is not there.
    """
    for folder in AGENTS_DIRS:
        path = folder / f"{program}.py"
        if path.is_file():
            return path
    looked = " and ".join(map(str, AGENTS_DIRS))
    raise ConfigurationError(f"the agent {program}.py is not installed; looked in {looked}")
