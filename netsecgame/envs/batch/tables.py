"""One game as arrays: what the kernels look up.

A *bit* is a bit of the state's words (`StateLayout`), a *truth bit* one of the truth's words: the
data that each device holds, and which addresses are blocked from each other. Masks of addresses
have one bit a rank and as many words as that takes ("address words").
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.topology import LOG, neighbours
from netsecgame.envs.batch.layout import WORD_BITS, Packer, StateLayout, words_of
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology
    from netsecgame.envs.batch.layout import Words

#: Action types by their place in the index.
BLOCK_IP, EXFILTRATE_DATA, EXPLOIT_SERVICE, FIND_DATA, FIND_SERVICES, SCAN_NETWORK = range(6)

#: How the episode of an environment stands.
PLAYING, SUCCESS, DETECTED, TIMEOUT = range(4)


class Numbering(NamedTuple):
    """What action numbers mean: an `ActionIndex` for the kernels.

    Attributes:
        starts: First number of each action type, (6,).
        per_source: Numbers of each source, by action type, (6,).
        size: How many there are.
    """

    starts: NDArray[np.int64]
    per_source: NDArray[np.int64]
    size: int

    @classmethod
    def of(cls, index: ActionIndex) -> Numbering:
        """That of an index."""
        return cls(
            _ints(section.start for section in index.sections),
            _ints(section.per_source for section in index.sections),
            index.size,
        )


class Tables(NamedTuple):
    """A game for the kernels; (…) are shapes, A addresses, K address words.

    Attributes:
        addresses: A.
        address_words: K.
        data: Data in the world, the log included.
        data_words: Words of a mask of data.
        log: Rank of the log among the data.
        networks: Networks.
        numbering: Of the attacker's actions.
        defender_numbering: Of the defender's, which always have BlockIP.
        used_bits: How many bits of each word of a state mean something, (W,).
        networks_bit: First bit of the known networks; likewise the next two.
        reach: Mask of the addresses that each address may connect to, (A, K).
        inside: Mask of the addresses in each network, (networks, K).
        network_of: Bit of the network of each address, (A,).
        start_networks: Words of the state with the networks that who starts on an address knows,
            (A, W).
        place_target: Address rank of each service of the index, (S,).
        place_bit: Bit that says that it is known, (S,).
        place_first: First of those services, by address, (A + 1,).
        service_bits: The bits of all those services, (W,).
        run_place: First service of a run, (runs,). A run is services of the index whose bits follow
            each other in one word.
        run_word: Word of a run, (runs,).
        run_bits: Its bits, (runs,).
        data_bits: The bits of known data, (W,).
        chunk_first: First chunk of an address, (A + 1,). A chunk is a word of its services.
        chunk_word: Word of a chunk, (chunks,).
        chunk_all: Bits of the services offered, (chunks,).
        chunk_open: Those of them that are not local to the host, (chunks,).
        chunk_field: All bits of the field that lie in the word, (chunks,).
        data_bit: First bit of the known data of each address, (A,).
        blocks_bit: First bit of the known blocks of each address, (A,); empty without blocks.
        truth_words: Words of the truth.
        truth_start: The truth at the start of an episode, (truth words,).
        device_of: Device of each address, (A,).
        held_bit: First truth bit of the data on the device of each address, (A,).
        blocked_bit: First truth bit of the addresses blocked from each address, (A,); empty
            without blocks.
        defended_bit: First truth bit of those that the defender has blocked, (A,); the same as
            `blocked_bit` where nobody else blocks, or it does not matter who has.
        chances: Chance of success, by action type, (6,) float64.
        has_blocks: Whether anybody can block.
        is_watched: Whether there is a global defender.
        window: Actions the global defender looks at.
        detection: Its rules by action type, (6, 5) float64: whether there is one, its probability,
            its min_share, min_run and min_repeats; infinity for a threshold that is not set.
        repeat_first: Counter of the first action of a type that is counted, (6,); -1 for none.
        repeat_bits: Bits of a counter; 0 if nothing is counted.
        repeat_words: Words of all counters of an environment.
    """

    addresses: int
    address_words: int
    data: int
    data_words: int
    log: int
    networks: int
    numbering: Numbering
    defender_numbering: Numbering
    used_bits: NDArray[np.int64]
    networks_bit: int
    hosts_bit: int
    controlled_bit: int
    reach: Words
    inside: Words
    network_of: NDArray[np.int64]
    start_networks: Words
    place_target: NDArray[np.int64]
    place_bit: NDArray[np.int64]
    place_first: NDArray[np.int64]
    service_bits: Words
    run_place: NDArray[np.int64]
    run_word: NDArray[np.int64]
    run_bits: Words
    data_bits: Words
    chunk_first: NDArray[np.int64]
    chunk_word: NDArray[np.int64]
    chunk_all: Words
    chunk_open: Words
    chunk_field: Words
    data_bit: NDArray[np.int64]
    blocks_bit: NDArray[np.int64]
    truth_words: int
    truth_start: Words
    device_of: NDArray[np.int64]
    held_bit: NDArray[np.int64]
    blocked_bit: NDArray[np.int64]
    defended_bit: NDArray[np.int64]
    chances: NDArray[np.float64]
    has_blocks: bool
    is_watched: bool
    window: int
    detection: NDArray[np.float64]
    repeat_first: NDArray[np.int64]
    repeat_bits: int
    repeat_words: int


def compile_tables(
    spec: GameSpec, index: ActionIndex, layout: StateLayout, *, counts_false_positives: bool
) -> Tables:
    """The tables of a game.

    Args:
        spec: The task and its scenario.
        index: The actions that the attacker may play.
        layout: Of the states.
        counts_false_positives: Whether it matters who has blocked an address.
    """
    topology = index.topology
    count = len(index.addresses)
    truth = _lay_out_truth(
        index, layout, tells_apart=counts_false_positives and index.include_blocks
    )
    places = [layout.service_bit(rank, service) for rank, service in index.services]
    targets = [rank for rank, _ in index.services]
    runs = [
        place
        for place, bit in enumerate(places)
        if not place or bit != places[place - 1] + 1 or not bit % WORD_BITS
    ]
    chunks = _chunk_services(topology, layout)
    kinds = [section.type for section in index.sections]
    detection = spec.task.detection
    rules = np.zeros((len(kinds), 5))
    rules[:, 2:] = np.inf
    repeats = 0
    for row, kind in enumerate(kinds):
        rule = detection.get(kind) if detection is not None else None
        if rule is not None:
            thresholds = (rule.min_share, rule.min_run, rule.min_repeats)
            rules[row] = (1, rule.probability, *(np.inf if t is None else t for t in thresholds))
            repeats = max(repeats, rule.min_repeats or 0)
    repeat_first, counters = _place_counters(index, rules)
    repeat_bits = _counter_bits(repeats) if counters else 0
    return Tables(
        addresses=count,
        address_words=-(-count // WORD_BITS),
        data=len(index.data),
        data_words=-(-len(index.data) // WORD_BITS),
        log=index.data_ranks[LOG],
        networks=len(index.networks),
        numbering=Numbering.of(index),
        defender_numbering=Numbering.of(topology.action_index),
        used_bits=_ints(layout.used_bits),
        networks_bit=layout.networks,
        hosts_bit=layout.hosts,
        controlled_bit=layout.controlled,
        reach=_masks(index, (topology.reach[address] for address in index.addresses)),
        inside=_masks(index, (topology.inside[network] for network in index.networks)),
        network_of=_ints(
            layout.networks + index.network_ranks[topology.network_of[address]]
            for address in index.addresses
        ),
        start_networks=_start_networks(topology, layout),
        place_target=_ints(targets),
        place_bit=_ints(places),
        place_first=np.searchsorted(_ints(targets), np.arange(count + 1)),
        service_bits=_bits_set(places, layout),
        run_place=_ints(runs),
        run_word=_ints(places[first] // WORD_BITS for first in runs),
        run_bits=_words(
            mask_of(place % WORD_BITS for place in places[first:end])
            for first, end in pairwise([*runs, len(places)])
        ),
        data_bits=_bits_set(
            [first + datum for first in layout.data for datum in range(len(index.data))], layout
        ),
        chunk_first=_ints(chunks.first),
        chunk_word=_ints(chunks.word),
        chunk_all=_words(chunks.offered),
        chunk_open=_words(chunks.open),
        chunk_field=_words(chunks.field),
        data_bit=_ints(layout.data),
        blocks_bit=_ints(layout.blocks),
        truth_words=len(truth.start),
        truth_start=truth.start,
        device_of=_ints(topology.device_of[address] for address in index.addresses),
        held_bit=_ints(truth.held),
        blocked_bit=_ints(truth.blocked),
        defended_bit=_ints(truth.defended),
        chances=np.array([spec.task.success_probability[kind] for kind in kinds]),
        has_blocks=layout.has_blocks,
        is_watched=detection is not None,
        window=spec.task.detection_window,
        detection=rules,
        repeat_first=_ints(repeat_first),
        repeat_bits=repeat_bits,
        repeat_words=-(-counters // (WORD_BITS // repeat_bits)) if repeat_bits else 0,
    )


class _Truth(NamedTuple):
    """First bits by address, see `Tables`, and how the words begin."""

    held: list[int]
    blocked: list[int]
    defended: list[int]
    start: Words


def _lay_out_truth(index: ActionIndex, layout: StateLayout, *, tells_apart: bool) -> _Truth:
    topology = index.topology
    packer = Packer()
    by_device = [packer.place(len(index.data)) for _ in topology.device_names]
    blocked = [packer.place(len(index.addresses)) for _ in layout.blocks]
    defended = blocked
    if tells_apart:
        defended = [packer.place(len(index.addresses)) for _ in layout.blocks]
    bits = mask_of(
        by_device[device] + index.data_ranks[datum]
        for device, mask in enumerate(topology.data_of)
        for datum in iter_bits(mask)
    )
    held = [by_device[topology.device_of[address]] for address in index.addresses]
    return _Truth(held, blocked, defended, words_of(bits, packer.words))


class _Chunks(NamedTuple):
    first: list[int]
    word: list[int]
    offered: list[int]
    open: list[int]
    field: list[int]


def _chunk_services(topology: Topology, layout: StateLayout) -> _Chunks:
    chunks = _Chunks([0], [], [], [], [])
    for rank, services in enumerate(layout.services_of):
        offered = topology.services_of[layout.index.addresses[rank]]
        by_word: dict[int, list[int]] = {}
        for service in services:
            word, bit = divmod(layout.service_bit(rank, service), WORD_BITS)
            masks = by_word.setdefault(word, [0, 0, 0])
            masks[0] |= (offered >> service & 1) << bit
            masks[1] |= ((offered & topology.open_services) >> service & 1) << bit
            masks[2] |= 1 << bit
        for word, (all_of_them, open_ones, field) in by_word.items():
            chunks.word.append(word)
            chunks.offered.append(all_of_them)
            chunks.open.append(open_ones)
            chunks.field.append(field)
        chunks.first.append(len(chunks.word))
    return chunks


def _start_networks(topology: Topology, layout: StateLayout) -> Words:
    ranks = layout.index.network_ranks
    rows = []
    for address in layout.index.addresses:
        own = topology.network_of[address]
        beside = [
            topology.network_index[network]
            for network in neighbours(topology.networks[own])
            if network in topology.network_index
        ]
        bits = mask_of(layout.networks + ranks[network] for network in (own, *beside))
        rows.append(words_of(bits, layout.words))
    return np.array(rows, dtype=np.uint64).reshape(len(rows), layout.words)


def _place_counters(index: ActionIndex, rules: NDArray[np.float64]) -> tuple[list[int], int]:
    """Counter of the first action of each type whose repeats matter, and how many there are."""
    first = []
    counters = 0
    for section, rule in zip(index.sections, rules, strict=True):
        is_counted = bool(np.isfinite(rule[4]))
        first.append(counters if is_counted else -1)
        counters += section.per_source * len(index.addresses) if is_counted else 0
    return first, counters


def _counter_bits(repeats: int) -> int:
    """Bits of a counter that goes up to `repeats` - 1 and stays there; a power of two."""
    bits = 1
    while (1 << bits) < repeats:
        bits *= 2
    if bits > WORD_BITS // 2:
        raise ConfigurationError(f"expected at most 2**32, got {repeats}", path="min_repeats")
    return bits


def _bits_set(bits: Iterable[int], layout: StateLayout) -> Words:
    return words_of(mask_of(bits), layout.words)


def _ints(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)


def _words(values: Iterable[int]) -> Words:
    return np.array(list(values), dtype=np.uint64)


def _masks(index: ActionIndex, masks: Iterable[int]) -> Words:
    """Masks of address indices as masks of ranks, (masks, K)."""
    words = -(-len(index.addresses) // WORD_BITS)
    ranks = index.address_ranks
    rows = [words_of(mask_of(ranks[address] for address in iter_bits(m)), words) for m in masks]
    return np.array(rows, dtype=np.uint64).reshape(len(rows), words)
