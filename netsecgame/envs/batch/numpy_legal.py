"""A random legal action for many environments at once.

All legal actions of an agent have an order, that of the index. One of them is drawn by its place
there; so it is only counted how many there are of each type and source, and nothing is listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.envs.batch.layout import WORD_BITS
from netsecgame.envs.batch.numpy_actions import Group
from netsecgame.envs.batch.numpy_choices import Choices, CutChoices, Known
from netsecgame.envs.batch.numpy_words import (
    ONE_BIT,
    ZERO,
    count_bits,
    field_of,
    fields_of,
    masks_of,
    nth_of_field,
    pick,
    split,
)
from netsecgame.envs.batch.tables import (
    EXFILTRATE_DATA,
    EXPLOIT_SERVICE,
    FIND_DATA,
    FIND_SERVICES,
    SCAN_NETWORK,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.core.rng import Stream
    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_words import BitRows, Ints
    from netsecgame.envs.batch.tables import Tables


class LegalActions:
    """Draws one of the actions that `legal_numbers` of `netsecgame.core` lists."""

    def __init__(self, tables: Tables) -> None:
        t = self._tables = tables
        # The n-th known service is the n-th bit that is set in these words: they are in order.
        words = t.place_bit >> 6
        first, end = words.min(initial=words.max(initial=0)), words.max(initial=-1) + 1
        self._service_words = slice(first, end)
        self._service_bits = np.zeros((end - first, 1), np.uint64)
        np.bitwise_or.at(self._service_bits[:, 0], words - first, ONE_BIT[t.place_bit & 63])
        self._place_of = np.zeros((end - first) * WORD_BITS, np.int64)
        self._place_of[t.place_bit - first * WORD_BITS] = np.arange(len(t.place_bit))

    def choose(
        self, block: Block, state: BitRows, rows: Ints, stream: Stream, *, with_blocks: bool
    ) -> Iterator[Group]:
        """A legal action for each of some environments, by type; none where there is none.

        Args:
            block: Which environments `rows` are of.
            state: What those know who are to act.
            rows: The environments.
            stream: What to draw from.
            with_blocks: Whether BlockIP is an action.
        """
        t = self._tables
        is_everybody = len(rows) == len(state.words)
        columns = (state.words if is_everybody else state.words[rows]).T
        if not t.has_blocks:
            choices = Choices(t, self._look_up(columns), with_blocks=with_blocks)
            yield from self._choose(block, state, rows, stream, choices)
            return
        masks = fields_of(columns, t.blocks_bit, t.addresses)
        knows_cuts = (masks != ZERO).any(axis=(0, 1))
        for chosen in (np.flatnonzero(~knows_cuts), np.flatnonzero(knows_cuts)):
            if len(chosen) == 0:
                continue
            known = self._look_up(columns[:, chosen])
            if knows_cuts[chosen[0]]:
                choices = CutChoices(t, known, masks[..., chosen], with_blocks=with_blocks)
            else:
                choices = Choices(t, known, with_blocks=with_blocks)
            yield from self._choose(block, state, rows[chosen], stream, choices)

    def _look_up(self, columns: Words) -> Known:
        t = self._tables
        return Known(
            columns=columns,
            networks=field_of(columns, t.networks_bit, t.networks),
            hosts=field_of(columns, t.hosts_bit, t.addresses),
            controlled=field_of(columns, t.controlled_bit, t.addresses),
            services=columns[self._service_words] & self._service_bits,
            items=count_bits(fields_of(columns, t.data_bit, t.data)),
        )

    def _choose(
        self, block: Block, state: BitRows, rows: Ints, stream: Stream, choices: Choices
    ) -> Iterator[Group]:
        columns = np.arange(len(rows))
        totals = choices.counts.sum(axis=0)
        if not totals.all():
            columns = np.flatnonzero(totals)
        n = block.below(rows[columns], stream, totals[columns])
        kinds, n = pick(choices.counts[:, columns], n)
        for kind in range(len(choices.counts)):
            chosen = np.flatnonzero(kinds == kind)
            if len(chosen):
                at = columns[chosen]
                yield self._find(state, kind, rows[at], choices, at, n[chosen])

    def _find(
        self, state: BitRows, kind: int, rows: Ints, choices: Choices, at: Ints, n: Ints
    ) -> Group:
        """The n-th actions of a type."""
        t, known = self._tables, choices.known
        source, n = choices.find_source(kind, at, n)
        target = item = np.full(len(at), -1)
        if kind == SCAN_NETWORK:
            item = nth_of_field(known.networks[:, at], t.networks, n)
        elif kind == FIND_SERVICES:
            hosts = known.hosts[:, at] & ~choices.cut_off(source, at)
            target = nth_of_field(hosts, t.addresses, n)
        elif kind == FIND_DATA:
            target = source
        elif kind == EXPLOIT_SERVICE:
            n = choices.find_service(source, at, n)
            item = self._place_of[nth_of_field(known.services[:, at], WORD_BITS, n)]
            target = t.place_target[item]
        elif kind == EXFILTRATE_DATA:
            which, n = split(n, known.items[source, at])
            others = ~choices.cut_off(source, at) & ~masks_of(source, t.addresses).T
            target = nth_of_field(known.controlled[:, at] & others, t.addresses, which)
            parts = [
                state.part(rows, t.data_bit[source], part, t.data) for part in range(t.data_words)
            ]
            item = nth_of_field(np.stack(parts), t.data, n)
        else:
            target, n = choices.find_blocker(source, at, n)
            others = ~choices.cut_off(target, at) & ~masks_of(target, t.addresses).T
            item = nth_of_field(known.hosts[:, at] & others, t.addresses, n)
        return Group(kind, rows, source, target, item)
