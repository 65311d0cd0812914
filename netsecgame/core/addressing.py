"""Addresses as labels: which IP each address index carries, and drawing new ones.

The rules work on indices only; everything that is text or comes from an agent passes through a
`Labels` object. Dynamic addresses are nothing but a new `Labels`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from netaddr import IPNetwork

from netsecgame.core.state_json import StateEncoder
from netsecgame.core.topology import addresses_inside, ip_from_value
from netsecgame.game_components import IP, Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from netsecgame.core.topology import Topology

#: Addresses outside the scenario that agents may name in BlockIP, per episode. Blocking one more
#: has no effect, so that an agent cannot make the world grow without bound.
MAX_OUTSIDERS = 1_024

#: The blocks that RFC 1918 sets aside for private networks.
PRIVATE_BLOCKS = tuple(map(IPNetwork, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))

#: Where new public networks are drawn from: unicast space below the class D range.
_FIRST_PUBLIC, _LAST_PUBLIC = 1 << 24, (223 << 24) | 0xFFFFFF

#: Draws before a network keeps the place it has; each fails only by hitting a reserved or taken
#: range.
_MAX_DRAWS = 1_000

_IsFree: TypeAlias = Callable[[list[tuple[int, int]]], bool]

# A full stop may follow an address, a further number may not.
_IPV4 = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2}))?(?!\.?\d)")


class Labels:
    """The IPs and networks that stand for the indices of a topology.

    Attributes:
        topology: What is labelled.
        addresses: IP of every address index; outsiders (addresses that only a BlockIP named)
            follow.
        networks: Network of every network index.
        state_encoder: Makes the JSON of what agents know under these labels.
    """

    def __init__(
        self, topology: Topology, addresses: Sequence[IP], networks: Sequence[Network]
    ) -> None:
        self.topology = topology
        self.addresses = list(addresses)
        self.networks = tuple(networks)
        self._address_index = {ip: index for index, ip in enumerate(self.addresses)}
        self._network_index = {network: index for index, network in enumerate(self.networks)}
        self._inside: dict[Network, int] = {}
        self.state_encoder = StateEncoder(self)

    @classmethod
    def original(cls, topology: Topology) -> Labels:
        """The labels that the scenario itself gives."""
        return cls(topology, topology.addresses, topology.networks)

    def find_address(self, ip: IP) -> int:
        """Index of an address of the scenario or of an outsider; -1 if there is none."""
        return self._address_index.get(ip, -1)

    def find_network(self, network: Network) -> int:
        """Index of a network; -1 if there is none."""
        return self._network_index.get(network, -1)

    def admit_outsider(self, ip: IP) -> int:
        """Index of an address, given a new one if it has none; -1 when there are too many."""
        index = self._address_index.get(ip, -1)
        if index < 0 and len(self.addresses) - len(self.topology.addresses) < MAX_OUTSIDERS:
            index = len(self.addresses)
            self.addresses.append(ip)
            self._address_index[ip] = index
        return index

    def addresses_inside(self, network: Network) -> int:
        """Mask of the scenario's addresses inside a network of any mask."""
        mask = self._inside.get(network)
        if mask is None:
            mask = addresses_inside(self.addresses[: len(self.topology.addresses)], network)
            if network in self._network_index:
                self._inside[network] = mask
        return mask

    def translate(self, text: str) -> str:
        """A text with the scenario's own addresses and networks replaced by these labels."""
        topology = self.topology

        def replace(match: re.Match[str]) -> str:
            word, ip, mask = match.group(0, 1, 2)
            if mask is not None:
                network = topology.network_index.get(Network(ip, int(mask)), -1)
                if network >= 0:
                    return str(self.networks[network])
            try:
                address = topology.address_index.get(IP(ip), -1)
            except ValueError:
                return word
            return word.replace(ip, str(self.addresses[address])) if address >= 0 else word

        return _IPV4.sub(replace, text)


def draw_labels(topology: Topology, rng: Random) -> Labels:
    """New labels: private networks moved together, every public one anew, offsets in networks kept.

    Private networks of one RFC 1918 block move by one distance, so that the distances between them
    (and to their neighbours) stay. No two networks overlap that did not before. A group for which
    no new place was found stays where it is.
    """
    blocks = [IPNetwork(str(network)) for network in topology.networks]
    moved: dict[int, int] = {}
    taken: list[tuple[int, int]] = []

    def is_free(spans: list[tuple[int, int]]) -> bool:
        return all(last < low or first > high for first, last in spans for low, high in taken)

    for home in PRIVATE_BLOCKS:
        group = [i for i, block in enumerate(blocks) if home.first <= block.first <= home.last]
        if group:
            shift = _draw_private_shift([blocks[i] for i in group], rng, is_free)
            for i in group:
                moved[i] = blocks[i].first + shift
                taken.append((moved[i], blocks[i].last + shift))
    # Widest first, so that a network inside another one moves with it.
    rest = sorted((i for i in range(len(blocks)) if i not in moved), key=lambda i: -blocks[i].size)
    for i in rest:
        block = blocks[i]
        around = next((j for j in rest if j in moved and block in blocks[j]), None)
        if around is not None:
            moved[i] = moved[around] + block.first - blocks[around].first
        elif topology.networks[i].is_private():
            moved[i] = block.first
        else:
            moved[i] = _draw_public_base(block, rng, is_free)
        taken.append((moved[i], moved[i] + block.size - 1))

    shifts = [moved[i] - block.first for i, block in enumerate(blocks)]
    return Labels(
        topology,
        [
            ip_from_value(ip.value + shifts[topology.network_of[index]])
            for index, ip in enumerate(topology.addresses)
        ],
        [
            Network(str(ip_from_value(moved[i])), network.mask)
            for i, network in enumerate(topology.networks)
        ],
    )


def _draw_private_shift(group: list[IPNetwork], rng: Random, is_free: _IsFree) -> int:
    first = min(block.first for block in group)
    last = max(block.last for block in group)
    step = max(block.size for block in group)
    homes = [home for home in PRIVATE_BLOCKS if home.size >= last - first + 1]
    for _ in range(_MAX_DRAWS):
        home = rng.choice(homes)
        lowest = -((first - home.first) // step)
        highest = (home.last - last) // step
        shift = rng.randint(lowest, highest) * step if lowest <= highest else 0
        if shift and is_free([(b.first + shift, b.last + shift) for b in group]):
            return shift
    return 0


def _draw_public_base(block: IPNetwork, rng: Random, is_free: _IsFree) -> int:
    size = block.size
    for _ in range(_MAX_DRAWS):
        base = rng.randrange(_FIRST_PUBLIC, _LAST_PUBLIC) // size * size
        drawn = IPNetwork((base, block.prefixlen))
        if base != block.first and _is_public(drawn) and is_free([(base, base + size - 1)]):
            return base
    return block.first


def _is_public(block: IPNetwork) -> bool:
    return not any(
        Network(str(ip_from_value(value)), 32).is_private() for value in (block.first, block.last)
    )
