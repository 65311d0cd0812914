"""All actions of a game by number: what learners choose from.

The order is that of the white box's list: sorted by the wire form. Nothing of the list is kept,
because its parts are independent: a number is taken apart by division. So an index of a network
of any size costs next to nothing.

    type            | place within its section
    ----------------|-------------------------------------------------------------------
    BlockIP         | (source, target, blocked)
    ExfiltrateData  | (source, target, datum)
    ExploitService  | (source, service of a target); targets in order, then their services
    FindData        | (source, target)
    FindServices    | (source, target)
    ScanNetwork     | (source, network)

Sources, targets and blocked addresses are ordered by the text of their IP, networks, data and
services by their JSON; all under the addresses that the scenario itself has. Under dynamic
addresses a number goes on meaning the same hosts.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from netsecgame.core.actions.indexed import IndexedAction, log_entry
from netsecgame.core.bits import iter_bits
from netsecgame.errors import UnknownActionError
from netsecgame.game_components import Action, ActionType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.core.addressing import Labels
    from netsecgame.core.topology import Topology

#: The game actions in the order of the index.
INDEX_ORDER = (
    ActionType.BlockIP,
    ActionType.ExfiltrateData,
    ActionType.ExploitService,
    ActionType.FindData,
    ActionType.FindServices,
    ActionType.ScanNetwork,
)


class Section(NamedTuple):
    """The numbers of one action type.

    Attributes:
        type: Which.
        start: The first number.
        per_source: How many numbers each source has; sources follow each other in rank order.
    """

    type: ActionType
    start: int
    per_source: int


class ActionIndex:
    """The actions of one topology by number, 0..size-1.

    A *rank* is a place in the order of the index: `addresses[rank]` is an address index of the
    topology, likewise for networks, data and services.

    Attributes:
        topology: What is acted on.
        include_blocks: Whether BlockIP actions have numbers.
        addresses: Address index by rank.
        networks: Network index by rank.
        data: Data index by rank; the log is one of them.
        services: Address rank and service index of everything that is offered, in order.
        sections: By type, in the order of the index.
        size: How many numbers there are.
    """

    def __init__(self, topology: Topology, *, include_blocks: bool = True) -> None:
        self.topology = topology
        self.include_blocks = include_blocks
        self.addresses = _ordered([str(ip) for ip in topology.addresses])
        self.networks = _ordered([_text({"ip": n.ip, "mask": n.mask}) for n in topology.networks])
        self.data = _ordered([_text(datum) for datum in topology.data])
        self.services = [
            (rank, service)
            for rank, address in enumerate(self.addresses)
            for service in sorted(
                iter_bits(topology.services_of[address]),
                key=lambda index: _text(topology.services[index]),
            )
        ]
        count = len(self.addresses)
        per_source = {
            ActionType.BlockIP: count * count if include_blocks else 0,
            ActionType.ExfiltrateData: count * len(self.data),
            ActionType.ExploitService: len(self.services),
            ActionType.FindData: count,
            ActionType.FindServices: count,
            ActionType.ScanNetwork: len(self.networks),
        }
        sections = []
        start = 0
        for kind in INDEX_ORDER:
            sections.append(Section(kind, start, per_source[kind]))
            start += count * per_source[kind]
        self.sections: Sequence[Section] = sections
        self.size = start

    def __len__(self) -> int:
        return self.size

    def section(self, kind: ActionType) -> Section:
        """The numbers of a type."""
        return self.sections[INDEX_ORDER.index(kind)]

    @cached_property
    def address_ranks(self) -> list[int]:
        """Rank of every address index."""
        return _inverse(self.addresses)

    @cached_property
    def network_ranks(self) -> list[int]:
        """Rank of every network index."""
        return _inverse(self.networks)

    @cached_property
    def data_ranks(self) -> list[int]:
        """Rank of every data index."""
        return _inverse(self.data)

    @cached_property
    def service_ranks(self) -> dict[tuple[int, int], int]:
        """Place in `services` by address rank and service index."""
        return {pair: place for place, pair in enumerate(self.services)}

    def parts(self, number: int) -> tuple[ActionType, int, int, int]:
        """Type, source, target and item of an action, in indices of the topology.

        The target is -1 for ScanNetwork, whose item is a network; the item of FindData and
        FindServices is -1.

        Raises:
            UnknownActionError: If there is no such number.
        """
        if not 0 <= number < self.size:
            raise UnknownActionError(number, self.size)
        section = next(s for s in reversed(self.sections) if s.start <= number and s.per_source)
        source, rest = divmod(number - section.start, section.per_source)
        count = len(self.addresses)
        kind = section.type
        target = item = -1
        if kind is ActionType.ScanNetwork:
            item = self.networks[rest]
        elif kind is ActionType.ExploitService:
            rank, item = self.services[rest]
            target = self.addresses[rank]
        elif kind is ActionType.ExfiltrateData:
            rank, item = divmod(rest, len(self.data))
            target, item = self.addresses[rank], self.data[item]
        elif kind is ActionType.BlockIP:
            rank, item = divmod(rest, count)
            target, item = self.addresses[rank], self.addresses[item]
        else:
            target = self.addresses[rest]
        return kind, self.addresses[source], target, item

    def action(self, number: int, labels: Labels) -> Action:
        """The action of a number under some addresses; UnknownActionError if there is none.

        Its parameters are in the order of the white box's list.
        """
        kind, source, target, item = self.parts(number)
        host = labels.addresses
        if kind is ActionType.ScanNetwork:
            return Action(
                kind, {"source_host": host[source], "target_network": labels.networks[item]}
            )
        parameters = {"source_host": host[source], "target_host": host[target]}
        if kind is ActionType.ExploitService:
            return Action(kind, {**parameters, "target_service": self.topology.services[item]})
        if kind is ActionType.ExfiltrateData:
            return Action(kind, {**parameters, "data": self.topology.data[item]})
        if kind is ActionType.BlockIP:
            return Action(kind, {**parameters, "blocked_host": host[item]})
        return Action(kind, parameters)

    def indexed(self, number: int, labels: Labels) -> IndexedAction:
        """What the rules work on; UnknownActionError if there is no such number."""
        kind, source, target, item = self.parts(number)
        if kind is ActionType.ScanNetwork:
            item = self.topology.inside[item]
        entry = log_entry(kind, labels.addresses[source])
        return IndexedAction(kind, source, target, max(item, 0), entry)

    def find(self, action: Action, labels: Labels) -> int:
        """The number of an action under some addresses; -1 if it names what does not exist.

        Raises:
            KeyError: If a parameter is missing, or it is no game action.
        """
        kind, given = action.type, action.parameters
        section = self.section(kind)
        source = labels.find_address(given["source_host"])
        if kind is ActionType.ScanNetwork:
            place = self._rank(self.network_ranks, labels.find_network(given["target_network"]))
        else:
            place = self._place(kind, action, labels)
        if source < 0 or source >= len(self.addresses) or place < 0 or not section.per_source:
            return -1
        return section.start + self.address_ranks[source] * section.per_source + place

    def _place(self, kind: ActionType, action: Action, labels: Labels) -> int:
        """Where among the numbers of its source an action with a target is; -1 for nowhere."""
        given = action.parameters
        target = self._rank(self.address_ranks, labels.find_address(given["target_host"]))
        if target < 0 or kind in (ActionType.FindData, ActionType.FindServices):
            return target
        if kind is ActionType.ExploitService:
            service = self.topology.service_index.get(given["target_service"], -1)
            return self.service_ranks.get((target, service), -1)
        if kind is ActionType.ExfiltrateData:
            per_target = len(self.data)
            item = self._rank(self.data_ranks, self.topology.data_index.get(given["data"], -1))
        else:
            per_target = len(self.addresses)
            item = self._rank(self.address_ranks, labels.find_address(given["blocked_host"]))
        return -1 if item < 0 else target * per_target + item

    @staticmethod
    def _rank(ranks: Sequence[int], index: int) -> int:
        return ranks[index] if 0 <= index < len(ranks) else -1


def _text(value: object) -> bytes:
    return msgspec.json.encode(value)


def _ordered(keys: Sequence[str] | Sequence[bytes]) -> list[int]:
    return sorted(range(len(keys)), key=keys.__getitem__)


def _inverse(order: Sequence[int]) -> list[int]:
    ranks = [0] * len(order)
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks
