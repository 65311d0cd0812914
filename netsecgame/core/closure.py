"""Everything an agent can come to know and control, worked out at once.

What an agent can control follows from who reaches whom; what it can know follows from what it
controls. Nothing is played, and addresses that reach the same are taken together, so that thousands
of addresses and of starts take a moment. The rules are those of `actions/`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.knowledge import Knowledge, add_bits
from netsecgame.core.topology import LOG, LOG_DATA
from netsecgame.game_components import ActionType

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netsecgame.core.topology import Topology

#: Masks of addresses, and of what each of them leads to.
_Classes: TypeAlias = "Sequence[tuple[int, int]]"

_EVERYWHERE = -1


def play_everything(
    topology: Topology, start: Knowledge, playable: Collection[ActionType]
) -> Knowledge:
    """What an agent knows and controls when it has done all it can, alone and without blocking.

    Args:
        topology: Where.
        start: What it knows at the start.
        playable: The types of action that can succeed.
    """
    everything = Knowledge(
        networks=(1 << len(topology.networks)) - 1,
        services=dict(enumerate(topology.services_of)),
        data=dict.fromkeys(range(len(topology.addresses)), (1 << len(topology.data)) - 1),
    )
    return Closures(topology, playable).close(start, everything)


class Closures:
    """What agents can know and control in the end, on one topology."""

    def __init__(self, topology: Topology, playable: Collection[ActionType]) -> None:
        """Look at a topology.

        Args:
            topology: Where.
            playable: The types of action that can succeed.
        """
        self._topology = topology
        self._playable = playable
        self._steps = _classes(topology.reach)
        self._members = _classes([1 << network for network in topology.network_of])
        self._shared_devices = [mask for mask in topology.device_masks if mask.bit_count() > 1]
        self._taken: dict[tuple[int, int], int] = {}
        self._sources: dict[tuple[int, int, int], int] = {}
        #: The addresses that answer FindServices of strangers.
        self._answering = 0
        if ActionType.FindServices in playable:
            self._answering = mask_of(
                address
                for address, services in enumerate(topology.services_of)
                if services & topology.open_services
            )

    def close(self, start: Knowledge, asked: Knowledge) -> Knowledge:
        """All that can be known and controlled after that start.

        Args:
            start: What is known at first.
            asked: Which networks, the services of which addresses and which data of which addresses
                are told; hosts all are.
        """
        topology = self._topology
        controlled = self._take_over(start)
        reached = _reach_of(self._steps, controlled)
        # Who asks a host before a scan shows it is told its network too.
        asked_first = reached & self._answering & ~start.hosts
        networks, hosts = start.networks, start.hosts | controlled | asked_first
        if asked.networks & ~networks:
            networks |= _reach_of(self._members, asked_first | controlled & ~start.controlled)
        if ActionType.ScanNetwork in self._playable:
            hosts |= reached
        services = dict(start.services)
        if ActionType.FindServices in self._playable:
            for address in asked.services:
                shown = topology.services_of[address]
                if not controlled >> address & 1:
                    shown &= topology.open_services
                if shown and reached >> address & 1:
                    services[address] = shown
        data = start.data
        for address, wanted in asked.data.items():
            data = add_bits(data, address, self._find_data(start, controlled, address, wanted))
        return start._replace(
            networks=networks,
            hosts=hosts,
            controlled=controlled,
            services=services,
            data=data,
            logs={address: LOG_DATA for address, mask in data.items() if mask >> LOG & 1},
        )

    def _take_over(self, start: Knowledge) -> int:
        """Mask of the addresses that can come under control."""
        if ActionType.ExploitService not in self._playable:
            return start.controlled
        services_of = self._topology.services_of
        known = mask_of(a for a, services in start.services.items() if services & services_of[a])
        exploitable = self._answering | known
        # Many starts take the same first step: clients of one network, usually.
        key = _reach_of(self._steps, start.controlled) & exploitable, exploitable
        if key not in self._taken:
            self._taken[key] = _spread(self._steps, *key)
        return start.controlled | self._taken[key]

    def _find_data(self, start: Knowledge, controlled: int, host: int, wanted: int) -> int:
        """Mask of those of the wanted data that can become known on a host."""
        if not controlled >> host & 1:
            return 0
        if ActionType.FindData in self._playable:
            sources = self._find_sources(host, controlled, _EVERYWHERE)
            return mask_of(d for d in iter_bits(wanted) if sources & self._holders[d])
        found = 0
        for datum in iter_bits(wanted):
            # Without FindData an agent moves only what it has always known of.
            readers = mask_of(a for a, mask in start.data.items() if mask >> datum & 1)
            sources = self._find_sources(host, controlled, readers)
            if sources & readers & self._holders[datum]:
                found |= 1 << datum
        return found

    def _find_sources(self, host: int, controlled: int, readers: int) -> int:
        """Mask of the addresses whose data can be brought to a host.

        Args:
            host: Where to.
            controlled: The addresses on the way have to be among these.
            readers: At these addresses an agent sees what came to the device by another address.
        """
        if ActionType.ExfiltrateData not in self._playable:
            return 1 << host
        key = host, controlled, readers
        if key not in self._sources:
            shared = [(mask & readers, mask) for mask in self._shared_devices]
            self._sources[key] = _spread([*self._ways_back, *shared], 1 << host, controlled)
        return self._sources[key]

    @cached_property
    def _ways_back(self) -> _Classes:
        """Addresses, and who reaches them."""
        return _classes(_transpose(self._topology.reach, len(self._topology.addresses)))

    @cached_property
    def _holders(self) -> list[int]:
        """Mask of the addresses that hold each datum at the start of an episode."""
        topology = self._topology
        data_of = [topology.data_of[device] for device in topology.device_of]
        return _transpose(data_of, len(topology.data))


def _classes(masks: Sequence[int]) -> _Classes:
    """Indices with the same mask, as a mask, and that mask."""
    members: dict[int, int] = {}
    for index, mask in enumerate(masks):
        members[mask] = members.get(mask, 0) | 1 << index
    return [(indices, mask) for mask, indices in members.items()]


def _transpose(masks: Sequence[int], count: int) -> list[int]:
    """For each of `count` bits the mask of the indices whose mask has it."""
    transposed = [0] * count
    for indices, mask in _classes(masks):
        for bit in iter_bits(mask):
            transposed[bit] |= indices
    return transposed


def _reach_of(classes: _Classes, addresses: int) -> int:
    """What any of the addresses leads to."""
    reached = 0
    for members, reach in classes:
        if members & addresses:
            reached |= reach
    return reached


def _spread(classes: _Classes, start: int, within: int) -> int:
    """`start`, and all that leads on from there without leaving `within`."""
    found, before = start, 0
    while found != before:
        before = found
        ahead = []
        for members, reach in classes:
            if members & found:
                found |= reach & within
            else:
                ahead.append((members, reach))
        classes = ahead
    return found
