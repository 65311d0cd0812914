"""A goal taken apart: each single thing it asks for, and whether an agent has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.game_components import Data, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.game_components import IP, Network


class GoalPart(NamedTuple):
    """One thing a goal asks for.

    Attributes:
        kind: The part of the state it is in, e.g. ``known_data``.
        where: The host, or the network.
        what: The service, the datum or the blocked address on the host; None if the host or network
            itself is asked for, or if all attackers have to be blocked on it.
        is_reached: Whether the agent has it; None if what it knows does not tell.
    """

    kind: str
    where: IP | Network
    what: Service | Data | IP | None
    is_reached: bool | None

    def __str__(self) -> str:
        if self.kind in ("known_networks", "known_hosts"):
            return f"know {self.where}"
        if self.kind == "controlled_hosts":
            return f"control {self.where}"
        if self.kind == "known_blocks":
            return f"block {self.what or 'all attackers'} on {self.where}"
        return f"{name_of(self.what)} on {self.where}"


def name_of(thing: Service | Data | IP | Network | None) -> str:
    """What a person calls it: ``owner/id`` of data, name and version of a service."""
    if isinstance(thing, Data):
        return f"{thing.owner}/{thing.id}"
    if isinstance(thing, Service):
        return f"{thing.name} {thing.version}"
    return str(thing)


def take_apart(goal: Goal, state: KnownState) -> list[GoalPart]:
    """The parts of a goal in a fixed order, as they stand for the agent that knows `state`."""
    return list(_parts(goal, state))


def _parts(goal: Goal, state: KnownState) -> Iterator[GoalPart]:
    wanted = goal.state
    for kind in ("known_networks", "known_hosts", "controlled_hosts"):
        known = getattr(state, kind)
        for where in sorted(getattr(wanted, kind)):
            yield GoalPart(kind, where, None, where in known)
    for kind in ("known_services", "known_data", "known_blocks"):
        known = getattr(state, kind)
        for where, items in sorted(getattr(wanted, kind).items()):
            for what in sorted(items):
                yield GoalPart(kind, where, what, what in known.get(where, ()))
    for where in sorted(goal.all_attackers):
        yield GoalPart("known_blocks", where, None, None)
