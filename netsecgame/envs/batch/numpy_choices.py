"""How many legal actions there are, and which source and target has the n-th of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netsecgame.envs.batch.layout import WORD_BITS
from netsecgame.envs.batch.numpy_words import (
    ONE_BIT,
    ZERO,
    count_bits,
    flags_of,
    list_bits,
    masks_of,
    nth_of_field,
    pick,
    running_sum,
    split,
)
from netsecgame.envs.batch.tables import (
    BLOCK_IP,
    EXFILTRATE_DATA,
    EXPLOIT_SERVICE,
    FIND_DATA,
    FIND_SERVICES,
    SCAN_NETWORK,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.numpy_words import Flags, Ints
    from netsecgame.envs.batch.tables import Tables

    Counts = NDArray[np.int32]


class Known(NamedTuple):
    """What agents know, one a column; K is the words of a mask of addresses.

    Attributes:
        columns: All of it as words, (W, n).
        networks: Words of the known networks, (parts, n).
        hosts: Words of the known hosts, (K, n).
        controlled: Words of the controlled hosts, (K, n).
        services: Words with the bits of the known services, (words, n).
        items: How many data are known of each address, (A, n).
    """

    columns: Words
    networks: Words
    hosts: Words
    controlled: Words
    services: Words
    items: Counts


class Choices:
    """The legal actions of agents that know of no cut: each source reaches the same.

    Columns are agents; `at` chooses some of them, maybe fewer than there are.

    Attributes:
        known: What they know.
        counts: Legal actions by type, (6, n).
    """

    def __init__(self, tables: Tables, known: Known, *, with_blocks: bool) -> None:
        t = self._tables = tables
        self.known = known
        sources, hosts = count_bits(known.controlled), count_bits(known.hosts)
        #: Of each source, by type.
        self._each: Ints = np.zeros((6, len(sources)), np.int64)
        if with_blocks:
            self._each[BLOCK_IP] = sources * (hosts - 1)  # whoever is controlled is known too
        self._each[EXPLOIT_SERVICE] = count_bits(known.services)
        self._each[FIND_DATA] = 1
        self._each[FIND_SERVICES] = hosts
        self._each[SCAN_NETWORK] = count_bits(known.networks)
        self._hosts = hosts
        # But for exfiltration: who has data need not be controlled.
        self._exfiltrations = known.items * (
            sources - flags_of(known.controlled, np.arange(t.addresses))
        )
        self.counts: Ints = self._each * sources
        self.counts[EXFILTRATE_DATA] = self._exfiltrations.sum(axis=0)

    def find_source(self, kind: int, at: Ints, n: Ints) -> tuple[Ints, Ints]:
        """The source of the n-th actions of a type, and their place among its own."""
        if kind == EXFILTRATE_DATA:
            return pick(self._exfiltrations[:, at], n)
        which, n = split(n, self._each[kind, at])
        return nth_of_field(self.known.controlled[:, at], self._tables.addresses, which), n

    def cut_off(self, address: Ints, at: Ints) -> Words:  # noqa: ARG002
        """Masks of what some addresses are cut off from, (K, n), or one mask for all."""
        return np.zeros(1, np.uint64)

    def find_service(self, source: Ints, at: Ints, n: Ints) -> Ints:  # noqa: ARG002
        """The place among all known services of the n-th that a source reaches."""
        return n

    def find_blocker(self, source: Ints, at: Ints, n: Ints) -> tuple[Ints, Ints]:  # noqa: ARG002
        """The target of the n-th blocks of a source, and their place among its own."""
        which, n = split(n, self._hosts[at] - 1)
        return nth_of_field(self.known.controlled[:, at], self._tables.addresses, which), n


class CutChoices(Choices):
    """The legal actions of agents that know of cuts: each source reaches what it reaches."""

    def __init__(self, tables: Tables, known: Known, blocks: Words, *, with_blocks: bool) -> None:
        """Count them; `blocks` are the known blocks of each address, (A, K, n)."""
        t = self._tables = tables
        self.known = known
        masks = self._masks = np.array(blocks, order="C")
        self._cut, self._cut_from = self._make_symmetric()
        ranks = np.arange(t.addresses)
        is_controlled = flags_of(known.controlled, ranks)
        beside_itself = ~masks & ~masks_of(ranks, t.addresses)[..., None]
        self._others: Counts = count_bits(known.hosts & beside_itself)
        known_before = np.zeros((len(t.place_bit) + 1, len(is_controlled[0])), np.int64)
        known_before[1:] = running_sum(flags_of(known.columns, t.place_bit))
        self._services_before = known_before[t.place_first]
        self._services = np.diff(self._services_before, axis=0)
        self._by_source = np.zeros((6, *is_controlled.shape), np.int64)
        by_source = self._by_source
        if with_blocks:
            by_source[BLOCK_IP] = self._sum_of_reached(self._others * is_controlled)
        by_source[EXPLOIT_SERVICE] = self._sum_of_reached(self._services)
        by_source[FIND_DATA] = 1
        by_source[FIND_SERVICES] = count_bits(known.hosts & ~masks)
        by_source[SCAN_NETWORK] = count_bits(known.networks)
        by_source *= is_controlled
        by_source[EXFILTRATE_DATA] = known.items * count_bits(known.controlled & beside_itself)
        self.counts = by_source.sum(axis=1)

    def find_source(self, kind: int, at: Ints, n: Ints) -> tuple[Ints, Ints]:
        """The source of the n-th actions of a type, and their place among its own."""
        return pick(self._by_source[kind][:, at], n)

    def cut_off(self, address: Ints, at: Ints) -> Words:
        """Masks of what some addresses are cut off from, (K, n)."""
        return self._masks[address, :, at].T

    def find_service(self, source: Ints, at: Ints, n: Ints) -> Ints:
        """The place among all known services of the n-th that a source reaches."""
        target, n = pick(self._services[:, at] * self._is_reached(source, at), n)
        return self._services_before[target, at] + n

    def find_blocker(self, source: Ints, at: Ints, n: Ints) -> tuple[Ints, Ints]:
        """The target of the n-th blocks of a source, and their place among its own."""
        is_controlled = flags_of(self.known.controlled[:, at], np.arange(self._tables.addresses))
        return pick(self._others[:, at] * (is_controlled & self._is_reached(source, at)), n)

    def _is_reached(self, source: Ints, at: Ints) -> Flags:
        return ~flags_of(self.cut_off(source, at), np.arange(self._tables.addresses))

    def _make_symmetric(self) -> tuple[Ints, Ints]:
        """Make every cut go either way, and list them: two cells of an array (A, n) each."""
        masks, columns = self._masks.reshape(-1), self._masks.shape[-1]
        which, bit = list_bits(masks)
        word, column = split(which, columns)
        one, part = split(word, self._masks.shape[1])
        other = part * WORD_BITS + bit
        back = (other * self._masks.shape[1] + (one >> 6)) * columns + column
        is_new = np.flatnonzero(masks[back] & ONE_BIT[one & 63] == ZERO)
        np.bitwise_or.at(masks, back[is_new], ONE_BIT[one[is_new] & 63])
        cut, cut_from = one * columns + column, other * columns + column
        return (
            np.concatenate((cut, cut_from[is_new])),
            np.concatenate((cut_from, cut[is_new])),
        )

    def _sum_of_reached(self, counts: NDArray[Any]) -> Ints:
        """By address, the sum of the counts (A, n) of those that it is not cut off from."""
        cut = np.bincount(self._cut, counts.reshape(-1)[self._cut_from], counts.size)
        sums: Ints = counts.sum(axis=0) - cut.reshape(counts.shape).astype(np.int64)
        return sums
