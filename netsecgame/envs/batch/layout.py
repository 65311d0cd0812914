"""What an agent knows as the bits of a few words.

Everything is in the order of the action index ("ranks"), so that the n-th set bit is also the n-th
choice. A field is a run of bits for one thing of several (a host's data, say); fields of up to 64
bits never lie across two words, longer ones begin with a word.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.knowledge import Knowledge
from netsecgame.core.topology import LOG, LOG_DATA
from netsecgame.envs.batch.features import Flattener

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.task import Position
    from netsecgame.envs.batch.features import Floats

    Words: TypeAlias = NDArray[np.uint64]

WORD_BITS: Final = 64


def words_of(bits: int, words: int) -> Words:
    """The bits of an int as words, lowest first, (words,) uint64."""
    return np.frombuffer(bits.to_bytes(words * 8, "little"), dtype="<u8").astype(np.uint64)


class Packer:
    """Gives fields their places, one after another."""

    def __init__(self) -> None:
        self._bits = 0
        self._used = [0]  # bits, by word

    def place(self, width: int) -> int:
        """The first bit of the next field."""
        room = -self._bits % WORD_BITS
        if width > room:
            self._bits += room
        first = self._bits
        self._bits += width if width <= WORD_BITS else width + -width % WORD_BITS
        for word in range(first // WORD_BITS, -(-(first + width) // WORD_BITS)):
            self._used[word:] = [min(WORD_BITS, first + width - word * WORD_BITS)]
        return first

    @property
    def words(self) -> int:
        """How many words the fields so far take; at least one."""
        return max(1, -(-self._bits // WORD_BITS))

    @property
    def used_bits(self) -> list[int]:
        """How many bits of each word are taken: its lowest ones, whatever is left is above them."""
        return self._used


class StateLayout:
    """Which bit of the words says what.

    Attributes:
        index: Gives the order of addresses, networks, data and services.
        has_blocks: Whether known blocks have bits; without them nobody can ever know of one.
        networks: First bit of the known networks.
        hosts: First bit of the known hosts.
        controlled: First bit of the controlled hosts.
        services_of: By address rank: the service indices that have a bit, in order.
        services: By address rank: first bit of its known services.
        data: By address rank: first bit of its known data.
        blocks: By address rank: first bit of the addresses known to be cut off from it.
        words: How many words a state takes.
        used_bits: How many bits of each word mean something: its lowest ones.
        num_features: F, how many that are in all.
    """

    def __init__(
        self,
        index: ActionIndex,
        extra_services: Iterable[tuple[int, int]] = (),
        *,
        has_blocks: bool,
    ) -> None:
        """Lay out the states of one topology.

        Args:
            index: The actions of the topology.
            extra_services: Address and service index of what agents may know of a host that does
                not offer it: a task can say so.
            has_blocks: Whether known blocks get bits.
        """
        self.index = index
        self.has_blocks = has_blocks
        count = len(index.addresses)
        services: list[list[int]] = [[] for _ in range(count)]
        for rank, service in index.services:
            services[rank].append(service)
        for address, service in extra_services:
            of_host = services[index.address_ranks[address]]
            if service not in of_host:
                of_host.append(service)
        packer = Packer()
        self.networks = packer.place(len(index.networks))
        self.hosts = packer.place(count)
        self.controlled = packer.place(count)
        self.services_of: Sequence[Sequence[int]] = services
        self.services = [packer.place(len(of_host)) for of_host in services]
        self.data = [packer.place(len(index.data)) for _ in range(count)]
        self.blocks = [packer.place(count) for _ in range(count)] if has_blocks else []
        self.words = packer.words
        self.used_bits: Sequence[int] = packer.used_bits
        self._flattener = Flattener(self.used_bits)
        self.num_features = self._flattener.num_features
        self._service_places = [
            {service: place for place, service in enumerate(of_host)} for of_host in services
        ]

    @classmethod
    def of_positions(
        cls, index: ActionIndex, positions: Sequence[Position], *, can_block: bool
    ) -> StateLayout:
        """The layout of states in a game.

        Args:
            index: The actions of the topology.
            positions: The starts and goals of all who play.
            can_block: Whether any of them may play BlockIP.
        """
        topology = index.topology
        named = [
            (topology.address_index[ip], topology.service_index[service])
            for position in positions
            for ip, services in position.known_services.items()
            for service in services
            if service in topology.service_index
        ]
        has_blocks = can_block or any(position.known_blocks for position in positions)
        return cls(index, named, has_blocks=has_blocks)

    def encode(self, known: Knowledge) -> Words:
        """The words of what an agent knows, (W,) uint64; what the logs say is left out.

        Raises:
            ValueError: If it knows of blocks, and the layout has no bits for them.
        """
        return words_of(mask_of(self._bits_of(known)), self.words)

    def decode(self, words: Words) -> Knowledge:
        """What an agent with these words (W,) knows: `encode` backwards, with empty logs."""
        bits = int.from_bytes(words.astype("<u8").tobytes(), "little")
        index = self.index
        count = len(index.addresses)

        def field(first: int, order: Sequence[int]) -> int:
            ranks = iter_bits(bits >> first & ((1 << len(order)) - 1))
            return mask_of(order[rank] for rank in ranks)

        def each(firsts: Sequence[int], orders: Sequence[Sequence[int]]) -> dict[int, int]:
            masks = {
                index.addresses[rank]: field(first, orders[rank])
                for rank, first in enumerate(firsts)
            }
            return {address: mask for address, mask in masks.items() if mask}

        data = each(self.data, [index.data] * count)
        return Knowledge(
            networks=field(self.networks, index.networks),
            hosts=field(self.hosts, index.addresses),
            controlled=field(self.controlled, index.addresses),
            services=each(self.services, self.services_of),
            data=data,
            blocks=each(self.blocks, [index.addresses] * count),
            logs={address: LOG_DATA for address, mask in data.items() if mask >> LOG & 1},
        )

    @cached_property
    def feature_names(self) -> Sequence[str]:
        """What each feature of a flat observation says, under the addresses of the scenario."""
        return list(self._name_features())

    def flatten(
        self, words: Words, share: NDArray[np.float64] | float, out: Floats | None = None
    ) -> Floats:
        """States as numbers for a network: 1.0 for each feature that is known, else 0.0.

        Args:
            words: One state (W,), or some, (B, W).
            share: How much of the step limit is used, from 0.0 to 1.0, of all or of each, (B,): the
                last number of an observation.
            out: Where to write; None makes a new array.

        Returns:
            The observation (F + 1,) float32, or (B, F + 1).
        """
        return self._flattener.flatten(words, share, out)

    def service_bit(self, rank: int, service: int) -> int:
        """The bit of a service index on a host."""
        return self.services[rank] + self._service_places[rank][service]

    def _name_features(self) -> Iterator[str]:
        index = self.index
        topology = index.topology
        hosts = [str(topology.addresses[address]) for address in index.addresses]
        data = [f"{datum.owner} {datum.id}" for datum in map(topology.data.__getitem__, index.data)]
        yield from (f"known_networks {topology.networks[network]}" for network in index.networks)
        yield from (f"known_hosts {host}" for host in hosts)
        yield from (f"controlled_hosts {host}" for host in hosts)
        for host, services in zip(hosts, self.services_of, strict=True):
            for service in map(topology.services.__getitem__, services):
                yield f"known_services {host} {service.name} {service.version} {service.type}"
        yield from (f"known_data {host} {datum}" for host in hosts for datum in data)
        if self.has_blocks:
            yield from (f"known_blocks {host} {other}" for host in hosts for other in hosts)

    def _bits_of(self, known: Knowledge) -> Iterable[int]:
        index = self.index
        ranks = index.address_ranks
        for network in iter_bits(known.networks):
            yield self.networks + index.network_ranks[network]
        for address in iter_bits(known.hosts):
            yield self.hosts + ranks[address]
        for address in iter_bits(known.controlled):
            yield self.controlled + ranks[address]
        for address, mask in known.services.items():
            yield from (self.service_bit(ranks[address], service) for service in iter_bits(mask))
        for address, mask in known.data.items():
            first = self.data[ranks[address]]
            yield from (first + index.data_ranks[datum] for datum in iter_bits(mask))
        yield from self._bits_of_blocks(known)

    def _bits_of_blocks(self, known: Knowledge) -> Iterable[int]:
        ranks = self.index.address_ranks
        existing = (1 << len(ranks)) - 1  # outsiders have no bits
        if known.blocks and not self.has_blocks:
            raise ValueError("this layout has no bits for blocks")
        for address, mask in known.blocks.items():
            if existing >> address & 1:
                first = self.blocks[ranks[address]]
                yield from (first + ranks[other] for other in iter_bits(mask & existing))
