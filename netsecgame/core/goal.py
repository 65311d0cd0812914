"""Goals: what an agent has to know and control to win."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from netsecgame.core.bits import iter_bits
from netsecgame.core.knowledge import KnownState
from netsecgame.game_components import IP, GameState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netsecgame.core.addressing import Labels
    from netsecgame.core.positions import Drawn

#: How the wire says "every address that any attacker controls at that moment".
ALL_ATTACKERS = "all_attackers"


@dataclass(frozen=True)
class Goal:
    """What must be a subset of an agent's view.

    Attributes:
        state: The six parts; absent parts are empty.
        all_attackers: Hosts whose known blocks must name every address that an attacker controls at
            that moment, other than the host itself; there must be one.
    """

    state: GameState
    all_attackers: frozenset[IP] = field(default_factory=frozenset)

    @classmethod
    def from_drawn(cls, drawn: Drawn, labels: Labels) -> Goal:
        """The goal of a drawn position under the addresses of this episode."""
        hosts = frozenset(labels.addresses[index] for index in iter_bits(drawn.all_attackers))
        return cls(KnownState(drawn.knowledge, labels), hosts)

    @classmethod
    def from_any(cls, goal: Goal | GameState | Mapping[str, Any]) -> Goal:
        """A goal as worlds may give it: itself, a state, or a mapping of the six parts."""
        if isinstance(goal, Goal):
            return goal
        if isinstance(goal, GameState):
            return cls(goal)
        parts = {name: goal[name] for name in GameState.__dataclass_fields__ if name in goal}
        blocks = dict(parts.get("known_blocks", {}))
        words = [host for host, blocked in blocks.items() if blocked == ALL_ATTACKERS]
        for host in words:
            del blocks[host]
        return cls(GameState(**{**parts, "known_blocks": blocks}), frozenset(words))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for; such a goal is never reached."""
        state = self.state
        return not (
            self.all_attackers
            or state.known_networks
            or state.known_hosts
            or state.controlled_hosts
            or any(state.known_services.values())
            or any(state.known_data.values())
            or any(state.known_blocks.values())
        )

    def is_reached(self, state: GameState, attackers: Iterable[GameState] = ()) -> bool:
        """Whether every part is a subset of the view.

        Args:
            state: The view of the agent that has this goal.
            attackers: The views of all attackers of the episode.
        """
        mine = self.state
        if type(mine) is KnownState and type(state) is KnownState and state.labels is mine.labels:
            covered = state.knowledge.covers(mine.knowledge)
        else:
            covered = _covers(state, mine)
        if not covered:
            return False
        if self.all_attackers:
            hosts = {host for attacker in attackers for host in attacker.controlled_hosts}
            return all(_is_cut_off(state, key, hosts) for key in self.all_attackers)
        return not self.is_empty

    @cached_property
    def json(self) -> bytes:
        """The JSON of `as_dict`; made once."""
        return msgspec.json.encode(self.as_dict)

    @property
    def as_dict(self) -> dict[str, Any]:
        """The wire form: that of a state, with the word for what depends on the attackers."""
        parts = dict(self.state.as_dict)
        blocks = dict(parts["known_blocks"])
        for host in sorted(self.all_attackers):
            blocks[str(host)] = ALL_ATTACKERS
        parts["known_blocks"] = blocks
        return parts


def _is_cut_off(state: GameState, host: IP, attackers: set[IP]) -> bool:
    others = attackers - {host}
    return bool(others) and others <= set(state.known_blocks.get(host, ()))


def _covers(state: GameState, goal: GameState) -> bool:
    return (
        set(goal.known_networks) <= set(state.known_networks)
        and set(goal.known_hosts) <= set(state.known_hosts)
        and set(goal.controlled_hosts) <= set(state.controlled_hosts)
        and _covers_each(state.known_services, goal.known_services)
        and _covers_each(state.known_data, goal.known_data)
        and _covers_each(state.known_blocks, goal.known_blocks)
    )


def _covers_each(known: Mapping[Any, Iterable[Any]], needed: Mapping[Any, Iterable[Any]]) -> bool:
    return all(set(items) <= set(known.get(host, ())) for host, items in needed.items())
