"""Start positions and goals as programs over bits, so that any number of them is drawn at once.

A program begins with fixed words and goes on with operations in order. `draw_position` of
`netsecgame.core` is the reference: same draws, same result.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netsecgame.core.bits import iter_bits
from netsecgame.core.positions import draw_position
from netsecgame.core.task import Position, Word
from netsecgame.core.topology import LOG
from netsecgame.game_components import IP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from netsecgame.core.topology import Topology
    from netsecgame.envs.batch.layout import StateLayout, Words

#: Kinds of operations: set all bits, draw one of them, draw one that is not set if there is any.
SET_ALL, DRAW, DRAW_NEW = 0, 1, 2


class PositionProgram(NamedTuple):
    """How to draw a position.

    Attributes:
        base: What is in it however the draws come out, (W,) uint64.
        operations: Kind, first and end of its bits in `bits`; (operations, 3) int64.
        bits: Bits of the layout, (bits,) int64.
        all_attackers: By address rank, whether its known blocks must name every address that an
            attacker controls; (addresses,) bool. A part of goals only.
    """

    base: Words
    operations: NDArray[np.int64]
    bits: NDArray[np.int64]
    all_attackers: NDArray[np.bool_]


def compile_position(
    position: Position, topology: Topology, layout: StateLayout
) -> PositionProgram:
    """Turn a position into a program.

    Raises:
        TaskError: If the position names what the topology does not have.
    """
    draw_position(position, topology, Random(0))  # finds what is wrong with it
    compiler = _Compiler(topology, layout)
    fixed, leftover = _split(position)
    drawn = draw_position(fixed, topology, Random(0))
    compiler.add_all(leftover)
    index = layout.index
    waiting = [bool(drawn.all_attackers >> address & 1) for address in index.addresses]
    return PositionProgram(
        base=layout.encode(drawn.knowledge),
        operations=np.array(compiler.operations, dtype=np.int64).reshape(-1, 3),
        bits=np.array(compiler.bits, dtype=np.int64),
        all_attackers=np.array(waiting, dtype=np.bool_),
    )


def _split(position: Position) -> tuple[Position, Position]:
    """The fields of a position without and with a `random` in them."""

    def is_random(parts: Iterable[object]) -> bool:
        return Word.RANDOM in parts

    services, data = position.known_services, position.known_data
    fixed = replace(
        position,
        known_networks=() if is_random(position.known_networks) else position.known_networks,
        known_hosts=() if is_random(position.known_hosts) else position.known_hosts,
        controlled_hosts=() if is_random(position.controlled_hosts) else position.controlled_hosts,
        known_services={ip: items for ip, items in services.items() if not is_random(items)},
        known_data={ip: items for ip, items in data.items() if not is_random(items)},
    )
    leftover = Position(
        known_networks=position.known_networks if is_random(position.known_networks) else (),
        known_hosts=position.known_hosts if is_random(position.known_hosts) else (),
        controlled_hosts=position.controlled_hosts if is_random(position.controlled_hosts) else (),
        known_services={ip: items for ip, items in services.items() if is_random(items)},
        known_data={ip: items for ip, items in data.items() if is_random(items)},
    )
    return fixed, leftover


class _Compiler:
    """Writes the operations of the fields that have a `random` in them, in the order of draws."""

    def __init__(self, topology: Topology, layout: StateLayout) -> None:
        self.topology = topology
        self.layout = layout
        self.operations: list[tuple[int, int, int]] = []
        self.bits: list[int] = []

    def add_all(self, position: Position) -> None:
        index, layout, topology = self.layout.index, self.layout, self.topology
        places = range(len(topology.addresses))
        self._add_networks(position.known_networks)
        self._add_hosts(position.known_hosts, places, layout.hosts)
        self._add_hosts(position.controlled_hosts, topology.start_places, layout.controlled)
        for ip, services in position.known_services.items():
            address = topology.address_index[ip]
            rank = index.address_ranks[address]
            here = list(iter_bits(topology.services_of[address]))
            for part in services:
                kind = DRAW if part is Word.RANDOM else SET_ALL
                chosen = here if isinstance(part, Word) else [topology.service_index[part]]
                self._add(kind, [layout.service_bit(rank, service) for service in chosen])
        for ip, data in position.known_data.items():
            first = layout.data[index.address_ranks[topology.address_index[ip]]]
            for datum in data:
                if isinstance(datum, Word):
                    anything = [i for i in topology.data_index.values() if i != LOG]
                    self._add(DRAW, [first + index.data_ranks[i] for i in anything])
                else:
                    self._add(SET_ALL, [first + index.data_ranks[topology.data_index[datum]]])

    def _add_networks(self, parts: Sequence[object]) -> None:
        topology, layout = self.topology, self.layout
        own = list(iter_bits(topology.scenario_networks))
        for part in parts:
            if part is Word.RANDOM:
                kind, chosen = DRAW, own
            elif part is Word.ALL_LOCAL:
                kind, chosen = SET_ALL, [i for i in own if topology.networks[i].is_private()]
            else:
                kind, chosen = SET_ALL, [topology.network_index[part]]  # type: ignore[index]
            ranks = layout.index.network_ranks
            self._add(kind, [layout.networks + ranks[network] for network in chosen])

    def _add_hosts(self, parts: Sequence[IP | Word], at_random: Sequence[int], first: int) -> None:
        topology, ranks = self.topology, self.layout.index.address_ranks

        def add(kind: int, addresses: Iterable[int]) -> None:
            self._add(kind, [first + ranks[address] for address in addresses])

        for part in parts:
            if isinstance(part, IP):
                add(SET_ALL, [topology.address_index[part]])
        for part in parts:
            if part is Word.RANDOM:
                add(DRAW_NEW, at_random)
            elif part is Word.ALL_LOCAL:
                add(SET_ALL, iter_bits(topology.private_addresses))
            elif part is Word.ALL_ROUTERS:
                add(SET_ALL, iter_bits(topology.router_addresses))

    def _add(self, kind: int, bits: Sequence[int]) -> None:
        first = len(self.bits)
        self.bits.extend(bits)
        self.operations.append((kind, first, len(self.bits)))
