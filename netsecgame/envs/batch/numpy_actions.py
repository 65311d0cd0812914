"""The rules for many environments at once, one action type after another.

Written like the rules in `netsecgame.core.actions`, on words instead of masks. Each narrows a group
of actions down to those that are still possible, and carries out the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netsecgame.core.rng import Stream
from netsecgame.envs.batch.numpy_words import ONE_BIT, ZERO, list_bits, split
from netsecgame.envs.batch.tables import (
    BLOCK_IP,
    EXFILTRATE_DATA,
    EXPLOIT_SERVICE,
    FIND_DATA,
    FIND_SERVICES,
    SCAN_NETWORK,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_words import BitRows, Flags, Ints
    from netsecgame.envs.batch.tables import Numbering, Tables


class Group(NamedTuple):
    """Actions of one type in different environments; arrays are (n,) int64.

    Attributes:
        kind: The type.
        rows: The environments.
        source: Address ranks.
        target: Address ranks; -1 for ScanNetwork.
        item: The rest, as a rank: service of the index, datum, network or blocked address; -1 for
            FindData and FindServices.
    """

    kind: int
    rows: Ints
    source: Ints
    target: Ints
    item: Ints

    def only(self, flags: Flags) -> Group:
        """Some of them."""
        chosen = np.flatnonzero(flags)
        if len(chosen) == len(flags):
            return self
        kind, *arrays = self
        return Group(kind, *(array.take(chosen) for array in arrays))


def groups_of(
    t: Tables, numbering: Numbering, rows: Ints, numbers: NDArray[np.int32]
) -> Iterator[Group]:
    """Actions of some environments, given as numbers, by type."""
    ends = (*numbering.starts[1:], numbering.size)
    for kind, (start, end) in enumerate(zip(numbering.starts, ends, strict=True)):
        chosen = np.flatnonzero((numbers >= start) & (numbers < end))
        if len(chosen) == 0:
            continue
        source, place = split(numbers[chosen].astype(np.int64) - start, numbering.per_source[kind])
        nothing = np.full(len(chosen), -1)
        target, item = place, nothing
        if kind == SCAN_NETWORK:
            target, item = nothing, place
        elif kind == EXPLOIT_SERVICE:
            target, item = t.place_target[place], place
        elif kind == EXFILTRATE_DATA:
            target, item = split(place, t.data)
        elif kind == BLOCK_IP:
            target, item = split(place, t.addresses)
        yield Group(kind, rows[chosen], source, target, item)


def numbers_of(t: Tables, numbering: Numbering, group: Group) -> Ints:
    """The numbers of some actions: `groups_of` backwards."""
    kind, _, source, target, item = group
    place = target
    if kind in (SCAN_NETWORK, EXPLOIT_SERVICE):
        place = item
    elif kind == EXFILTRATE_DATA:
        place = target * t.data + item
    elif kind == BLOCK_IP:
        place = target * t.addresses + item
    numbers: Ints = numbering.starts[kind] + source * numbering.per_source[kind] + place
    return numbers


class Rules:
    """The rules of one game."""

    def __init__(self, tables: Tables, *, writes_logs: bool) -> None:
        t = self._tables = tables
        self._writes_logs = writes_logs
        self._reach = _columns(t.reach)
        self._inside = _columns(t.inside)
        self._services = ServiceWords(t)

    def attempt(self, block: Block, state: BitRows, group: Group) -> Group:
        """The actions of those who know `state` that do not fail by chance or at their source."""
        t = self._tables
        chance = t.chances[group.kind]
        if chance < 1:
            group = group.only(block.succeeds(group.rows, Stream.ACTIONS, chance))
        return group.only(state.has(group.rows, t.controlled_bit + group.source))

    def apply(self, block: Block, state: BitRows, group: Group, own_blocks: Ints) -> None:
        """Carry out actions that were attempted.

        Args:
            block: Where.
            state: What those know who act.
            group: The actions.
            own_blocks: First truth bit of the blocks that they set, by address.
        """
        t = self._tables
        if group.kind == SCAN_NETWORK:
            self._scan_network(block, state, group)
            return
        group = group.only(self.connects(block, group))
        is_controlled = state.has(group.rows, t.controlled_bit + group.target)
        if group.kind == EXFILTRATE_DATA:
            known = state.has(group.rows, t.data_bit[group.source] + group.item)
            group = group.only(is_controlled & known)
        elif group.kind == BLOCK_IP:
            group = group.only(is_controlled & (group.target != group.item))
        if self._writes_logs:
            self._note(block, group.rows, group.target, group.source)
        if group.kind == FIND_SERVICES:
            self._find_services(state, group, is_controlled)
        elif group.kind == FIND_DATA:
            self._find_data(block, state, group.only(is_controlled))
        elif group.kind == EXPLOIT_SERVICE:
            self._exploit_service(state, group.only(~is_controlled))
        elif group.kind == EXFILTRATE_DATA:
            self._exfiltrate_data(block, state, group)
        else:
            self._block_ip(block, state, group, own_blocks)

    def count_refused(self, block: Block, state: BitRows, group: Group) -> Ints:
        """How many connections of each action are refused because of blocks of the defender."""
        t = self._tables
        kind, rows, source, target, item = group
        if kind == SCAN_NETWORK:
            counts = np.zeros(len(rows), np.int64)
            for part in range(t.address_words):
                cut = block.truth.part(rows, t.defended_bit[source], part, t.addresses)
                counts += np.bitwise_count(cut & self._inside[part].take(item))
            return counts
        refused = block.truth.has(rows, t.defended_bit[source] + target)
        if kind in (EXFILTRATE_DATA, BLOCK_IP):
            refused &= state.has(rows, t.controlled_bit + target)
        if kind == BLOCK_IP:
            refused &= target != item
        return refused.astype(np.int64)

    def connects(self, block: Block, group: Group) -> Flags:
        """Whether the sources can connect to the targets."""
        t = self._tables
        _, rows, source, target, _ = group
        if t.address_words == 1:
            reach = self._reach[0].take(source)
        else:
            reach = t.reach[source, target >> 6]
        can: Flags = reach & ONE_BIT[target & 63] != ZERO
        if t.has_blocks:
            can &= ~block.truth.has(rows, t.blocked_bit[source] + target)
        return can

    def _scan_network(self, block: Block, state: BitRows, group: Group) -> None:
        t = self._tables
        _, rows, source, _, item = group
        for part in range(t.address_words):
            found = self._reach[part].take(source) & self._inside[part].take(item)
            if t.has_blocks:
                found &= ~block.truth.part(rows, t.blocked_bit[source], part, t.addresses)
            state.add_part(rows, t.hosts_bit, part, found)
            if self._writes_logs:
                which, bit = list_bits(found)
                self._note(block, rows[which], part * 64 + bit, source[which])

    def _find_services(self, state: BitRows, group: Group, is_controlled: Flags) -> None:
        t, services = self._tables, self._services
        is_any = services.is_any[is_controlled.view(np.uint8), group.target]
        group, is_controlled = group.only(is_any), is_controlled[is_any]
        _, rows, _, target, _ = group
        for word, field, every, only_open in services.chunks:
            visible = np.where(is_controlled, every[target], only_open[target])
            state.replace(rows, word[target], field[target], visible)
        group = group.only(~state.has(rows, t.hosts_bit + target))
        state.set(group.rows, t.hosts_bit + group.target)
        state.set(group.rows, t.network_of[group.target])

    def _find_data(self, block: Block, state: BitRows, group: Group) -> None:
        t = self._tables
        _, rows, _, target, _ = group
        for part in range(t.data_words):
            held = block.truth.part(rows, t.held_bit[target], part, t.data)
            state.add_part(rows, t.data_bit[target], part, held)
        if t.has_blocks:
            for part in range(t.address_words):
                blocked = block.truth.part(rows, t.blocked_bit[target], part, t.addresses)
                state.add_part(rows, t.blocks_bit[target], part, blocked)

    def _exploit_service(self, state: BitRows, group: Group) -> None:
        t = self._tables
        group = group.only(state.has(group.rows, t.place_bit[group.item]))
        _, rows, _, target, _ = group
        state.set(rows, t.controlled_bit + target)
        state.set(rows, t.hosts_bit + target)
        state.set(rows, t.network_of[target])

    def _exfiltrate_data(self, block: Block, state: BitRows, group: Group) -> None:
        t = self._tables
        group = group.only(block.truth.has(group.rows, t.held_bit[group.source] + group.item))
        state.set(group.rows, t.data_bit[group.target] + group.item)
        # Every device has a log already, so that of another one adds nothing.
        block.truth.set(group.rows, t.held_bit[group.target] + group.item)

    def _block_ip(self, block: Block, state: BitRows, group: Group, own_blocks: Ints) -> None:
        t = self._tables
        _, rows, _, target, item = group
        for one, other in ((target, item), (item, target)):
            block.truth.set(rows, t.blocked_bit[one] + other)
            block.truth.set(rows, own_blocks[one] + other)
            state.set(rows, t.blocks_bit[one] + other)

    def _note(self, block: Block, rows: Ints, address: Ints, source: Ints) -> None:
        """Write into the logs of devices, as far as a scripted defender looks at them.

        An environment may have several entries, all of one source.
        """
        t, envs = self._tables, block.envs
        device = t.device_of[address]
        is_own = t.device_of[source] == device
        np.add.at(envs.intruder_ages, (rows[is_own], device[is_own]), 1)
        others = ~is_own
        rows, device = rows[others], device[others]
        envs.intruders[rows, device] = source[others]
        envs.intruder_ages[rows, device] = 1


class ServiceWords:
    """What finding services writes, by address.

    Attributes:
        chunks: Word, field, all services and open services of the first chunk of each address, (A,)
            each; then those of its second, and so on. Where there is none, the field is empty.
        is_any: Whether there is anything to find, for strangers and for who controls it, (2, A).
    """

    def __init__(self, t: Tables) -> None:
        counts = np.diff(t.chunk_first)
        self.is_any = np.zeros((2, t.addresses), np.bool_)
        self.chunks: list[tuple[Ints, Words, Words, Words]] = []
        for place in range(counts.max(initial=0)):
            there = np.flatnonzero(counts > place)
            chunk = t.chunk_first[there] + place
            word = np.zeros(t.addresses, np.int64)
            field, every, only_open = np.zeros((3, t.addresses), np.uint64)
            word[there] = t.chunk_word[chunk]
            field[there] = t.chunk_field[chunk]
            every[there] = t.chunk_all[chunk]
            only_open[there] = t.chunk_open[chunk]
            self.is_any |= np.stack((only_open, every)) != ZERO
            self.chunks.append((word, field, every, only_open))


def _columns(words: Words) -> Words:
    return np.ascontiguousarray(words.T)
