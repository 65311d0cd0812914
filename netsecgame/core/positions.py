"""Start positions and goals made concrete: words drawn, addresses looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.knowledge import Knowledge
from netsecgame.core.task import Word
from netsecgame.core.topology import LOG, LOG_DATA
from netsecgame.errors import TaskError
from netsecgame.game_components import IP, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from netsecgame.core.addressing import Labels
    from netsecgame.core.task import Position
    from netsecgame.core.topology import Topology


class Drawn(NamedTuple):
    """A position without words.

    Attributes:
        knowledge: The six parts.
        all_attackers: Mask of the addresses whose known blocks must name every attacker's address.
    """

    knowledge: Knowledge
    all_attackers: int


def draw_position(position: Position, topology: Topology, rng: Random) -> Drawn:
    """Draw the words of a position.

    Args:
        position: Names things by the addresses of the scenario, whatever the labels are now.
        topology: Must have been compiled with the position's networks and services.
        rng: Drawn from in the order of the position, so the same seed draws the same.

    Raises:
        TaskError: If the position names what the topology does not have.
    """
    return _Drawer(topology, rng).draw(position)


def start_knowledge(start: Knowledge, labels: Labels) -> Knowledge:
    """What an agent knows at the start, from its drawn start position.

    Controlled hosts are known; so are their networks, and the neighbours of the private ones.
    """
    network_of = labels.topology.network_of
    networks = start.networks
    for own in {network_of[address] for address in iter_bits(start.controlled)}:
        networks |= 1 << own | labels.neighbours_of(own)
    return start._replace(networks=networks, hosts=start.hosts | start.controlled)


def named_networks(position: Position) -> list[Network]:
    """The networks a position names."""
    return [part for part in position.known_networks if isinstance(part, Network)]


def named_services(position: Position) -> list[Service]:
    """The services a position names."""
    return [s for some in position.known_services.values() for s in some if isinstance(s, Service)]


class _Drawer:
    def __init__(self, topology: Topology, rng: Random) -> None:
        self.topology = topology
        self.rng = rng

    def draw(self, position: Position) -> Drawn:
        networks = self._networks(position.known_networks)
        everywhere = range(len(self.topology.addresses))
        hosts = self._hosts(position.known_hosts, everywhere, (1 << len(everywhere)) - 1)
        controlled = self._hosts(
            position.controlled_hosts, self.topology.start_places, self.topology.start_place_mask
        )
        services = {
            self._address(ip): self._services(self._address(ip), items)
            for ip, items in position.known_services.items()
        }
        data = {self._address(ip): self._data(items) for ip, items in position.known_data.items()}
        blocks: dict[int, int] = {}
        all_attackers = 0
        for key, items in position.known_blocks.items():
            named = self._hosts(i for i in items if isinstance(i, IP))
            words = (i for i in items if not isinstance(i, IP) and i is not Word.ALL_ATTACKERS)
            meant = named | self._hosts(words)
            said = named if isinstance(key, IP) else 0
            for address in iter_bits(self._hosts((key,))):
                if Word.ALL_ATTACKERS in items:
                    all_attackers |= 1 << address
                # No host is blocked from itself, so words never mean that; who says it outright
                # gets what cannot be reached.
                blocked = meant & ~(1 << address) | said
                if blocked:
                    blocks[address] = blocks.get(address, 0) | blocked
        knowledge = Knowledge(
            networks=networks,
            hosts=hosts,
            controlled=controlled,
            services={a: mask for a, mask in services.items() if mask},
            data={a: mask for a, mask in data.items() if mask},
            blocks=blocks,
            logs={a: LOG_DATA for a, mask in data.items() if mask >> LOG & 1},
        )
        return Drawn(knowledge, all_attackers)

    def _networks(self, parts: Iterable[Network | Word]) -> int:
        topology = self.topology
        mask = 0
        for part in parts:
            if part is Word.RANDOM:
                mask |= 1 << self._choose(list(iter_bits(topology.scenario_networks)), "network")
            elif part is Word.ALL_LOCAL:
                mask |= topology.private_networks
            elif isinstance(part, Network) and part in topology.network_index:
                mask |= 1 << topology.network_index[part]
            else:
                raise TaskError(f"cannot use {part!r} as a network")
        return mask

    def _hosts(
        self, parts: Iterable[IP | Word], at_random: Sequence[int] = (), at_random_mask: int = 0
    ) -> int:
        """Mask of what the parts mean; `random` is one of `at_random`, given also as a mask."""
        parts = tuple(parts)
        mask = mask_of(self._address(part) for part in parts if isinstance(part, IP))
        for part in parts:
            if part is Word.RANDOM:
                free = at_random
                if mask & at_random_mask:
                    # Agents asked to start at several random places get different ones while there
                    # are any.
                    free = [i for i in at_random if not mask >> i & 1] or at_random
                mask |= 1 << self._choose(free, "start place")
            elif part is Word.ALL_LOCAL:
                mask |= self.topology.private_addresses
            elif part is Word.ALL_ROUTERS:
                mask |= self.topology.router_addresses
            elif not isinstance(part, IP):
                raise TaskError(f"cannot use {part!r} as a host")
        return mask

    def _services(self, address: int, parts: Iterable[Service | Word]) -> int:
        topology = self.topology
        here = topology.services_of[address]
        mask = 0
        for part in parts:
            if part is Word.RANDOM:
                mask |= 1 << self._choose(list(iter_bits(here)), "service")
            elif part is Word.ALL:
                mask |= here
            elif isinstance(part, Service) and part in topology.service_index:
                mask |= 1 << topology.service_index[part]
            else:
                raise TaskError(f"cannot use {part!r} as a service")
        return mask

    def _data(self, parts: Iterable[Data | Word]) -> int:
        index = self.topology.data_index
        mask = 0
        for part in parts:
            if part is Word.RANDOM:
                mask |= 1 << self._choose(range(LOG + 1, len(index)), "data")
            elif isinstance(part, Data) and part in index:
                mask |= 1 << index[part]
            else:
                raise TaskError(f"the scenario has no data {part!r}")
        return mask

    def _address(self, ip: IP) -> int:
        index = self.topology.address_index.get(ip)
        if index is None:
            raise TaskError(f"the scenario has no address {ip}")
        return index

    def _choose(self, candidates: Sequence[int], what: str) -> int:
        if not candidates:
            raise TaskError(f"the scenario has no {what} to draw at random")
        return self.rng.choice(candidates)
