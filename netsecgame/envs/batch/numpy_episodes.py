"""How the episodes of many environments begin, and when goals are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.rng import Stream
from netsecgame.envs.batch.arrays import AGENT, NOBODY
from netsecgame.envs.batch.numpy_words import (
    ZERO,
    BitRows,
    field_of,
    flags_of,
    masks_of,
    pick,
)
from netsecgame.envs.batch.positions import DRAW_NEW, SET_ALL
from netsecgame.envs.batch.tables import PLAYING

if TYPE_CHECKING:
    from netsecgame.envs.batch.arrays import Role
    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_words import Flags, Ints
    from netsecgame.envs.batch.tables import Tables


class Episodes:
    """Begins the episodes of one game."""

    def __init__(self, tables: Tables, attacker: RoleRules, defender: RoleRules, who: int) -> None:
        self._tables = tables
        self._attacker = attacker
        self._defender = defender
        self._who = who

    def begin(self, block: Block, rows: Ints) -> None:
        """Begin new episodes in some environments."""
        if len(rows) == 0:  # as in most steps
            return
        envs = block.envs
        envs.states[rows] = self._attacker.draw_start(block, rows)
        envs.goals[rows] = self._attacker.draw_goal(block, rows)
        envs.truth[rows] = self._tables.truth_start
        envs.steps[rows] = 0
        envs.status[rows] = PLAYING
        envs.repeats[rows] = ZERO
        if self._who == NOBODY:
            return
        envs.defender_states[rows] = self._defender.draw_start(block, rows)
        envs.defender_goals[rows] = self._defender.draw_goal(block, rows)
        envs.defender_steps[rows] = 0
        envs.defender_plays[rows] = True
        envs.searched[rows] = -1
        envs.suspects[rows] = -1
        envs.intruders[rows] = -1
        envs.intruder_ages[rows] = 0
        if self._who == AGENT:
            envs.false_positives[rows] = 0


class RoleRules:
    """Where the agents of one role start, and when they have reached their goal.

    Attributes:
        max_steps: The step limit; 0 is none.
    """

    def __init__(self, tables: Tables, role: Role) -> None:
        t = self._tables = tables
        self.max_steps = role.max_steps
        self._start = _Position(role.start_base, role.start_operations, role.start_bits)
        self._goal = _Position(role.goal_base, role.goal_operations, role.goal_bits)
        self._blockers = np.flatnonzero(role.goal_attackers)
        self._network_words = np.flatnonzero(t.start_networks.any(axis=0))

    def draw_start(self, block: Block, rows: Ints) -> Words:
        """What they know at the start in some environments, (n, W)."""
        t = self._tables
        words = self._start.draw(block, rows, Stream.START)
        controlled = field_of(words.T, t.controlled_bit, t.addresses)
        known, places = BitRows(words), np.arange(len(words))
        for part, mask in enumerate(controlled):
            known.add_part(places, t.hosts_bit, part, mask)
        is_controlled = flags_of(controlled, np.arange(t.addresses))
        for word in self._network_words:
            networks = np.where(is_controlled, t.start_networks[:, word, None], ZERO)
            words[:, word] |= np.bitwise_or.reduce(networks, axis=0)
        return words

    def draw_goal(self, block: Block, rows: Ints) -> Words:
        """What they have to know at the end in some environments, (n, W)."""
        return self._goal.draw(block, rows, Stream.GOAL)

    def is_reached(self, goals: Words, states: Words, attackers: Words) -> Flags:
        """Whether they have reached their goals.

        Args:
            goals: What they have to know, (n, W).
            states: What they know, (n, W).
            attackers: What the attackers know, (n, W).
        """
        t = self._tables
        wanted, missing = np.zeros((2, len(goals)), np.uint64)
        for word in self._goal.words:
            wanted |= goals[:, word]
            missing |= goals[:, word] & ~states[:, word]
        is_reached: Flags = missing == ZERO
        if len(self._blockers) == 0:
            is_reached &= wanted != ZERO
            return is_reached
        controlled = field_of(attackers.T, t.controlled_bit, t.addresses)
        for host in self._blockers:
            others = controlled & ~masks_of(np.array([host]), t.addresses).T
            blocked = field_of(states.T, t.blocks_bit[host], t.addresses)
            is_reached &= others.any(axis=0) & ~(others & ~blocked).any(axis=0)
        return is_reached


class _Position:
    """Draws a position, see `PositionProgram`.

    Attributes:
        words: The words that it may have bits in.
    """

    def __init__(self, base: Words, operations: Ints, bits: Ints) -> None:
        self._base = base
        self._operations = [(int(kind), bits[first:end]) for kind, first, end in operations]
        self.words = np.union1d(np.flatnonzero(base), bits >> 6)

    def draw(self, block: Block, rows: Ints, stream: Stream) -> Words:
        """The positions of some environments, (n, W)."""
        words = np.tile(self._base, (len(rows), 1))
        known, places = BitRows(words), np.arange(len(words))
        for kind, bits in self._operations:
            if kind == SET_ALL:
                for bit in bits:
                    known.set(places, bit)
                continue
            may_be_drawn = np.ones((len(bits), len(rows)), np.bool_)
            if kind == DRAW_NEW:
                may_be_drawn = ~flags_of(words.T, bits)
                may_be_drawn |= ~may_be_drawn.any(axis=0)
            n = block.below(rows, stream, may_be_drawn.sum(axis=0))
            chosen, _ = pick(may_be_drawn, n)
            known.set(places, bits[chosen])
        return words
