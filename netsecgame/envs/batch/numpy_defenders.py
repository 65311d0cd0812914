"""The defenders of many environments at once; `defenders` has them as plain objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.logs import MAX_LOG_ENTRIES
from netsecgame.core.rng import Stream
from netsecgame.envs.batch.arrays import RANDOM, SCRIPTED
from netsecgame.envs.batch.numpy_actions import Group
from netsecgame.envs.batch.numpy_words import field_of, flags_of
from netsecgame.envs.batch.tables import BLOCK_IP, FIND_DATA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netsecgame.envs.batch.numpy_actions import Rules
    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_episodes import RoleRules
    from netsecgame.envs.batch.numpy_legal import LegalActions
    from netsecgame.envs.batch.numpy_words import Ints
    from netsecgame.envs.batch.tables import Tables


class Defenders:
    """Chooses and carries out what defenders do."""

    def __init__(
        self, tables: Tables, role: RoleRules, who: int, rules: Rules, legal: LegalActions
    ) -> None:
        self._tables = tables
        self._role = role
        self._who = who
        self._rules = rules
        self._legal = legal

    def act(self, block: Block, rows: Ints) -> None:
        """The defenders' turn in some environments."""
        envs = block.envs
        acted = np.zeros(len(envs.status), np.bool_)
        for group in self._choose(block, rows):
            acted[group.rows] = True
            done = self._rules.attempt(block, block.defender_states, group)
            self._rules.apply(block, block.defender_states, done, self._tables.defended_bit)
            if self._who == SCRIPTED and group.kind == FIND_DATA:
                self._read_logs(block, done)
        rows = np.flatnonzero(acted)
        envs.defender_steps[rows] += 1
        is_over = self._role.is_reached(
            envs.defender_goals[rows], envs.defender_states[rows], envs.states[rows]
        )
        if self._role.max_steps:
            is_over |= envs.defender_steps[rows] >= self._role.max_steps
        envs.defender_plays[rows[is_over]] = False

    def _choose(self, block: Block, rows: Ints) -> Iterable[Group]:
        if self._who == RANDOM:
            state = block.defender_states
            return self._legal.choose(block, state, rows, Stream.DEFENDER, with_blocks=True)
        return self._follow_script(block, rows)

    def _follow_script(self, block: Block, rows: Ints) -> list[Group]:
        """Block who was found in the log read last; read the next log where nobody was."""
        t, envs = self._tables, block.envs
        host, suspect = (of_all[rows].astype(np.int64) for of_all in (envs.searched, envs.suspects))
        envs.suspects[rows] = -1
        blocks = suspect >= 0
        found = np.flatnonzero(blocks)
        known = t.blocks_bit[host[found]] + suspect[found]
        blocks[found] = ~block.defender_states.has(rows[found], known)
        blocking = Group(BLOCK_IP, rows[blocks], host[blocks], host[blocks], suspect[blocks])
        rows, host = rows[~blocks], host[~blocks]
        source = self._find_next(block, rows, host)
        rows, source = rows[source >= 0], source[source >= 0]
        envs.searched[rows] = source
        return [blocking, Group(FIND_DATA, rows, source, source, np.full(len(source), -1))]

    def _find_next(self, block: Block, rows: Ints, searched: Ints) -> Ints:
        """The next host that is controlled after the one searched last; -1 for none."""
        t = self._tables
        ranks = np.arange(t.addresses)
        columns = block.envs.defender_states[rows].T
        is_controlled = flags_of(field_of(columns, t.controlled_bit, t.addresses), ranks)
        ahead = (ranks[:, None] - searched - 1) % t.addresses
        nearest = np.where(is_controlled, ahead, t.addresses).min(axis=0)
        return np.where(nearest < t.addresses, (searched + 1 + nearest) % t.addresses, -1)

    def _read_logs(self, block: Block, group: Group) -> None:
        """Note whom defenders found who have just searched a host."""
        t, envs = self._tables, block.envs
        group = group.only(self._rules.connects(block, group))
        device = t.device_of[group.target]
        is_fresh = envs.intruder_ages[group.rows, device] <= MAX_LOG_ENTRIES
        rows, device = group.rows[is_fresh], device[is_fresh]
        envs.suspects[rows] = envs.intruders[rows, device]
