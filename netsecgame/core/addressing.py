"""Addresses as labels: which IP each address index carries, and drawing new ones.

The rules work on indices only; everything that is text or comes from an agent passes through a
`Labels` object. Dynamic addresses are nothing but a new `Labels`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from netaddr import IPNetwork

from netsecgame.core.actions.indexed import index_action
from netsecgame.core.address_ranges import AddressRanges
from netsecgame.core.bits import mask_of
from netsecgame.core.state_json import StateEncoder
from netsecgame.core.topology import index_of_each, ip_from_value, neighbours
from netsecgame.core.trajectory import count_text
from netsecgame.game_components import IP, Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.actions.indexed import IndexedAction, NumberedAction
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import Action

#: Addresses outside the scenario that agents may name in BlockIP, per episode. Blocking one more
#: has no effect, so that an agent cannot make the world grow without bound.
MAX_OUTSIDERS = 1_024

#: Actions kept with their indices; when there are more, all are forgotten and looked up anew.
_MAX_KEPT_ACTIONS = 16_384

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
        self.addresses: Sequence[IP] = tuple(addresses)
        self.networks = tuple(networks)
        is_original = self.addresses == topology.addresses and self.networks == topology.networks
        self._address_index = (
            topology.address_index if is_original else index_of_each(self.addresses)
        )
        self._network_index = (
            topology.network_index if is_original else index_of_each(self.networks)
        )
        # Worlds that share a topology look its actions up only once.
        self._actions = topology.kept_actions if is_original else {}
        self._numbered = topology.kept_numbers if is_original else {}
        self._neighbours: dict[int, int] = {}
        self.state_encoder = StateEncoder(self)

    @classmethod
    def original(cls, topology: Topology) -> Labels:
        """The labels that the scenario itself gives."""
        return cls(topology, topology.addresses, topology.networks)

    @property
    def has_outsiders(self) -> bool:
        """Whether a BlockIP has named an address that the scenario does not have."""
        return len(self.addresses) > len(self.topology.addresses)

    def without_outsiders(self) -> Labels:
        """The same labels before any outsider was admitted."""
        if not self.has_outsiders:
            return self
        return Labels(self.topology, self.addresses[: len(self.topology.addresses)], self.networks)

    @cached_property
    def _ranges(self) -> AddressRanges:
        """Outsiders are not among them."""
        own = self.addresses[: len(self.topology.addresses)]
        return self.topology.ranges if own == self.topology.addresses else AddressRanges(own)

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
            if not self.has_outsiders:  # until now these may have been shared with other worlds
                self._address_index = dict(self._address_index)
                self._actions = {}
                self.addresses = list(self.addresses)
            assert isinstance(self.addresses, list)
            self.addresses.append(ip)
            self._address_index[ip] = index
        return index

    def addresses_inside(self, network: Network) -> int:
        """Mask of the scenario's addresses inside a network of any mask."""
        known = self._network_index.get(network)
        return self._ranges.inside(network) if known is None else self.topology.inside[known]

    def neighbours_of(self, network: int) -> int:
        """Mask of the networks beside one of them, as far as the labels have them."""
        mask = self._neighbours.get(network)
        if mask is None:
            beside = map(self.find_network, neighbours(self.networks[network]))
            mask = self._neighbours[network] = mask_of(index for index in beside if index >= 0)
        return mask

    def index(self, action: Action) -> IndexedAction:
        """A game action in indices; looked up once.

        Raises:
            KeyError: If a parameter is missing.
        """
        indexed = self._actions.get(action)
        if indexed is None:
            indexed = index_action(action, self)
            if indexed.outsider is None:  # its index is still to come
                if len(self._actions) >= _MAX_KEPT_ACTIONS:
                    self._actions.clear()
                self._actions[action] = indexed
        return indexed

    def numbers(self, index: ActionIndex) -> Mapping[int, NumberedAction]:
        """The actions of an index that `numbered` has looked up so far."""
        return self._numbered.setdefault(index.include_blocks, {})

    def numbered(self, number: int, index: ActionIndex) -> NumberedAction:
        """An action of the index, looked up once: as an object, in indices, and its text counted.

        Raises:
            UnknownActionError: If there is no such number.
        """
        kept = self._numbered.setdefault(index.include_blocks, {})
        found = kept.get(number)
        if found is None:
            if len(kept) >= _MAX_KEPT_ACTIONS:
                kept.clear()
            action = index.action(number, self)
            found = kept[number] = action, index.indexed(number, self), count_text(action)
        return found

    def translate(self, text: str) -> str:
        """A text with the scenario's own addresses and networks replaced by these labels."""
        if self._address_index is self.topology.address_index:
            return text
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
