"""The actions of an index that make sense to an agent, and the list of all there are.

Legal is what `generate_valid_actions` lists: it goes by what the agent knows, so it shows nothing
that the agent has not found. Playing another action is no error, it only costs a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.bits import iter_bits
from netsecgame.game_components import Action, ActionType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from netsecgame.core.addressing import Labels
    from netsecgame.core.knowledge import Knowledge

_NOBODY: frozenset[int] = frozenset()
_ZERO_AND_ONE = bytes.maketrans(b"\x00\x01", b"01")


def list_all_actions(labels: Labels, *, include_blocks: bool = True) -> list[Action]:
    """Every game action on things that exist, in the order of the index.

    A addresses and D data give about A² (D + A) actions.

    Args:
        labels: The addresses to list them under.
        include_blocks: Whether BlockIP actions are listed.
    """
    index = ActionIndex(labels.topology, include_blocks=include_blocks)
    return [index.action(number, labels) for number in range(index.size)]


def legal_numbers(index: ActionIndex, known: Knowledge) -> list[int]:
    """The numbers of the legal actions, lowest first."""
    return list(_Legal(index, known).numbers())


def legal_flags(index: ActionIndex, known: Knowledge) -> bytearray:
    """One byte for every action of the index, 1 if it is legal: a boolean array's memory."""
    flags = bytearray(index.size)
    for number in _Legal(index, known).numbers():
        flags[number] = 1
    return flags


def legal_mask(index: ActionIndex, known: Knowledge) -> int:
    """The legal actions as a bit mask: bit `i` is set if action `i` is legal."""
    flags = legal_flags(index, known)
    return int(flags.translate(_ZERO_AND_ONE)[::-1], 2) if flags else 0


class _Legal:
    """One agent's knowledge in ranks of the index."""

    def __init__(self, index: ActionIndex, known: Knowledge) -> None:
        self.index = index
        self.controlled = self._ranks(known.controlled)
        self.hosts = self._ranks(known.hosts)
        network_ranks = index.network_ranks
        self.networks = sorted(network_ranks[i] for i in iter_bits(known.networks))
        self.services = sorted(
            (index.address_ranks[address], index.service_ranks[pair])
            for address, mask in known.services.items()
            for service in iter_bits(mask)
            if (pair := (index.address_ranks[address], service)) in index.service_ranks
        )
        self.data = sorted(
            (index.address_ranks[address], sorted(index.data_ranks[i] for i in iter_bits(mask)))
            for address, mask in known.data.items()
        )
        self.cut_off = self._cut_off(known.blocks)

    def numbers(self) -> Iterator[int]:
        """The legal numbers, in order."""
        for section in self.index.sections:
            if not section.per_source:
                continue
            sources = self.controlled
            if section.type is ActionType.ExfiltrateData:
                sources = [rank for rank, _ in self.data]
            for source in sources:
                first = section.start + source * section.per_source
                for place in self._places(section.type, source):
                    yield first + place

    def _places(self, kind: ActionType, source: int) -> Iterator[int]:
        """The legal ones among the numbers of a type and a source."""
        cut_off = self.cut_off.get(source, _NOBODY)
        if kind is ActionType.ScanNetwork:
            yield from self.networks
        elif kind is ActionType.FindServices:
            yield from (host for host in self.hosts if host not in cut_off)
        elif kind is ActionType.FindData:
            yield source
        elif kind is ActionType.ExploitService:
            yield from (place for target, place in self.services if target not in cut_off)
        else:
            targets = [target for target in self.controlled if target not in cut_off]
            if kind is ActionType.ExfiltrateData:
                yield from self._exfiltrations(source, targets)
            else:
                yield from self._blocks(targets)

    def _exfiltrations(self, source: int, targets: list[int]) -> Iterator[int]:
        items = next(items for rank, items in self.data if rank == source)
        for target in targets:
            if target != source:
                first = target * len(self.index.data)
                yield from (first + item for item in items)

    def _blocks(self, targets: list[int]) -> Iterator[int]:
        for target in targets:
            cut_off = self.cut_off.get(target, _NOBODY)
            first = target * len(self.index.addresses)
            for other in self.hosts:
                if other != target and other not in cut_off:
                    yield first + other

    def _ranks(self, mask: int) -> list[int]:
        ranks = self.index.address_ranks
        return sorted(ranks[address] for address in iter_bits(mask))

    def _cut_off(self, blocks: Mapping[int, int]) -> Mapping[int, AbstractSet[int]]:
        """By rank, the ranks it is known to be cut off from; in both directions."""
        ranks = self.index.address_ranks
        existing = (1 << len(ranks)) - 1  # outsiders have no rank
        cut_off: dict[int, set[int]] = {}
        for address, mask in blocks.items():
            if not existing >> address & 1:
                continue
            for other in self._ranks(mask & existing):
                cut_off.setdefault(ranks[address], set()).add(other)
                cut_off.setdefault(other, set()).add(ranks[address])
        return cut_off
