"""What all kinds of observations have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from netsecgame.core.bits import mask_of

if TYPE_CHECKING:
    from gymnasium import Space

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import Knowledge, KnownState


class Observer(Protocol):
    """Turns what one agent knows into observations of one kind."""

    @property
    def space(self) -> Space[Any]:
        """What all its observations are in."""

    def begin(self, goal: Goal) -> None:
        """A new episode begins, with that goal; only texts tell it."""

    def observe(self, state: KnownState, share: float) -> Any:
        """The observation of a state; the caller's own, whatever comes later.

        Args:
            state: What the agent knows.
            share: How much of its step limit it has used, 0..1.
        """


def says_the_same(known: Knowledge, before: Knowledge) -> bool:
    """Whether all but the logs is the same; every look into a log changes that."""
    return known is before or known[:-1] == before[:-1]


def named_hosts(known: Knowledge) -> int:
    """Mask of all addresses that anything is known of."""
    named = known.hosts | mask_of(known.services) | mask_of(known.data) | mask_of(known.blocks)
    for blocked in known.blocks.values():
        named |= blocked
    return named
