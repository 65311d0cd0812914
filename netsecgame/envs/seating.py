"""Who plays in an environment of several agents: learners, and opponents in place of some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from netsecgame.envs.opponents import make_opponent
from netsecgame.envs.rounds import Seat
from netsecgame.errors import ConfigurationError, suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.envs.game import Game
    from netsecgame.envs.opponents import Opponent
    from netsecgame.game_components import AgentRole

    #: A name or a file for `make_opponent`, or an opponent.
    Choice: TypeAlias = str | Path | Opponent


def take_seats(
    game: Game, counts: Mapping[AgentRole, int], opponents: Mapping[str, Choice]
) -> list[Seat]:
    """All agents of a game, e.g. ``attacker_0``, ``attacker_1`` and ``defender_0``.

    Args:
        game: What is played.
        counts: How many agents each role has, in the order in which they act.
        opponents: Who plays in place of a learner, by the name of an agent or of its role.

    Raises:
        ConfigurationError: If there is no such agent or opponent, or nobody is left to learn.
        RoleNotAvailableError: If the task has no such role.
    """
    numbers = {
        f"{role.lower()}_{number}": (role, number)
        for role, count in counts.items()
        for number in range(count)
    }
    chosen = _choose({agent: role for agent, (role, _) in numbers.items()}, opponents)
    seats = []
    for agent, (role, number) in numbers.items():
        what = chosen.get(agent)
        opponent = None if what is None else make_opponent(what, role, game, number)
        seats.append(Seat(agent, role, opponent))
    if all(seat.opponent for seat in seats):
        raise ConfigurationError("nobody is left to learn", path="opponents")
    return seats


def _choose(role_of: Mapping[str, AgentRole], opponents: Mapping[str, Choice]) -> dict[str, Choice]:
    """Who plays, by the names of agents."""
    chosen: dict[str, Choice] = {}
    # What is said of one agent goes before what is said of its role.
    for name, what in sorted(opponents.items(), key=lambda item: item[0] in role_of):
        agents = [agent for agent, role in role_of.items() if name in (agent, role.value)]
        if not agents:
            known = [*role_of, *dict.fromkeys(role.value for role in role_of.values())]
            raise ConfigurationError(
                f"there is no agent {name!r}{suggest_nearest(name, known)}; "
                f"expected {', '.join(known)}",
                path="opponents",
            )
        chosen.update(dict.fromkeys(agents, what))
    objects = [what for what in chosen.values() if not isinstance(what, str | Path)]
    if len({id(what) for what in objects}) < len(objects):
        raise ConfigurationError(
            "one object cannot play two agents; give each its own", path="opponents"
        )
    return chosen
